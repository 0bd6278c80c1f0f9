"""Age group and perceived gender of faces, on your own machine.

    from agelens import Analyzer

    with Analyzer() as analyzer:
        for face in analyzer.analyze("party.jpg"):
            print(face.box, face.age_shown, face.gender_shown, face.ages)

`Analyzer.stream` follows the faces of a film, a camera or a stream, `analyze_all` takes many pictures. `draw` gives a
picture with its labels, `visits` tells who was there from when to when and who crossed a `Line`, `report` counts
them. A picture is an H×W×3 uint8 array in BGR order, as OpenCV reads it, or the path of a file. Boxes are in pixels,
times in seconds, and probabilities go from 0 to 1.

A network sees a face, not a person: it gives the age group and the gender that people perceive in a face, and is often
wrong. Nothing identifies anyone, and nothing leaves the machine. Errors that a user can act on are `AgelensError`s.
"""

from desktop_app.analytics.crossings import Crossings
from desktop_app.analytics.visits import Visit
from desktop_app.catalogue.manifest import AgeLabel, Labels
from desktop_app.engine.analyzer import Analyzer, Face, Picture, Result, draw, report, visits, write_people
from desktop_app.errors import AgelensError
from desktop_app.vision.classification.label import Label
from desktop_app.vision.classification.years import Years
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.geometry import Box, Landmarks, Line, Point

__all__ = [
    "AgeLabel",
    "AgelensError",
    "Analyzer",
    "Box",
    "Crossings",
    "Face",
    "Label",
    "Labels",
    "Landmarks",
    "Line",
    "OverlayStyle",
    "Picture",
    "Point",
    "Result",
    "Visit",
    "Years",
    "draw",
    "report",
    "visits",
    "write_people",
]
