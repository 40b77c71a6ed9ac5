"""``python -m controller.cli`` is ``stillroom``."""

from controller.cli import main

if __name__ == "__main__":
    main()
