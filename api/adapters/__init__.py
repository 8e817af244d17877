"""Ports: one file each, with the real implementation and the simulated one."""
