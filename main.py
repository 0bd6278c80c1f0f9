"""Start Agelens from a checkout: `python main.py`."""

from desktop_app.start import run

if __name__ == "__main__":
    run()
