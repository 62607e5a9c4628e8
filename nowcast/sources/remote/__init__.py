"""Feeds that lie elsewhere: buckets of object stores, pages of HTTPS sites, and interfaces that list files."""
