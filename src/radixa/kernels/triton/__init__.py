"""The decoder's fused operations in Triton, for CUDA devices; `TRITON_INTERPRET=1` runs them on a CPU, slowly."""
