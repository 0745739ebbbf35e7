"""Saving and removing governed objects, under the name by which the packages of governance know it."""

from hub.common.saving import remove, save, save_all

__all__ = ["remove", "save", "save_all"]
