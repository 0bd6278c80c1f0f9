"""`python -m agelens` starts the program, as `agelens` and `python main.py` do."""

from desktop_app.start import run

if __name__ == "__main__":
    run()
