"""Agelens: age group and perceived gender from live video, on the user's own machine."""
