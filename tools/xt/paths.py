"""Where things are. Everything that is made lies under build/."""

import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(TOP, "build")
NATIVE = os.path.join(BUILD, "x86_64")
TWIN = os.path.join(BUILD, "twin")
DEBUG = os.path.join(BUILD, "debug")
COVERAGE = os.path.join(BUILD, "coverage")
SERVICES = os.path.join(BUILD, "services")
HOST = os.path.join(BUILD, "host")
HOST_COVERAGE = os.path.join(BUILD, "host-coverage")
RUN = os.path.join(BUILD, "run")
IMAGES = os.path.join(BUILD, "images")

DIRECT = os.path.join(NATIVE, "bin", "themelios-direct")
KERNEL = os.path.join(NATIVE, "bin", "kernel")
ROOT_IMAGE = os.path.join(BUILD, "root.erofs")
ISO = os.path.join(BUILD, "themelios.iso")
BUSYBOX = os.path.join(IMAGES, "busybox.tar")
TOOLS_CLI = os.path.join(BUILD, "tools", "docker")
