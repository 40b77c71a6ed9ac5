"""What the web app is given for designing: the desk and the rehearsals. It decides nothing."""

from dataclasses import dataclass

from controller.design_desk import DesignDesk
from controller.rehearsal_desk import RehearsalDesk


@dataclass(frozen=True, slots=True)
class Drawing:
    """The designer's desk, and rehearsals."""

    designs: DesignDesk
    rehearsals: RehearsalDesk
