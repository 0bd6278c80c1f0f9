"""Colours of the light and the dark theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as `#rrggbb`."""

    name: str
    window: str
    surface: str
    raised: str
    hover: str
    border: str
    outline: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    accent_text: str
    link: str
    danger: str
    success: str
    warning: str


DARK: Final = Theme(
    name="dark",
    window="#17191d",
    surface="#1e2126",
    raised="#2a2e35",
    hover="#353a43",
    border="#343942",
    outline="#4d5560",
    text="#eceef1",
    muted="#a3abb5",
    accent="#2f6fed",
    accent_hover="#4780f5",
    accent_text="#ffffff",
    link="#82b1ff",
    danger="#f2555a",
    success="#43c480",
    warning="#f0b13c",
)
LIGHT: Final = Theme(
    name="light",
    window="#f4f5f7",
    surface="#ffffff",
    raised="#eceef2",
    hover="#e0e3e9",
    border="#d3d7de",
    outline="#b0b7c1",
    text="#1a1d22",
    muted="#59626d",
    accent="#1f5fd8",
    accent_hover="#174fba",
    accent_text="#ffffff",
    link="#1a56c4",
    danger="#cc2b33",
    success="#167a46",
    warning="#8f5b00",
)
