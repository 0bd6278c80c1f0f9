"""Who was there, when and how long, and how sure that is: pure functions over tracks and labels."""
