"""What becomes of a frame and its mask. Each effect is a plug-in that is imported when it is chosen."""
