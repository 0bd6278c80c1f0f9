"""What carries out the window's actions."""
