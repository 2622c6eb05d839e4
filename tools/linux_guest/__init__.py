"""The Linux guest that tests and benchmarks compare with: Debian's cloud kernel and a small initramfs, run by the same QEMU."""
