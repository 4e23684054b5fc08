"""Questions that need the live model again: what is lost if a triplet is removed?"""
