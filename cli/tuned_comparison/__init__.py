"""`germline validate --against`: contenders from references, the course of the comparison, and its reports."""
