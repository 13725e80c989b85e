"""Does round t matter? `python -m motif.probe policy=outputs/RUN`."""

from motif.programs import probe

if __name__ == "__main__":
    probe()
