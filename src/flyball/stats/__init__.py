"""Numerics that know nothing of models or services. Import the module you need."""
