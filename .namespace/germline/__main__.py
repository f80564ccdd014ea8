"""`python -m germline`: the command `germline`, for a Python whose scripts are not on the PATH."""

from germline.cli.start import main

if __name__ == "__main__":
    main()
