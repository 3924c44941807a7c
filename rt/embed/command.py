"""`rtsep embed`: what a C program or a plugin host needs of this rtsep."""

import os
from pathlib import Path

import click

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.embed.built_files import LIBRARY, built_file, header
from rtsep.rt.embed.lv2_bundle import KINDS, install

LV2_FOLDER = "~/.lv2"  # where hosts look for a user's own plugins


@click.command("embed")
@click.option("--cflags", is_flag=True, help="Only what a C compiler needs to find rtsep.h and librtsep.")
@click.option("--lv2", is_flag=True, help="Install the LV2 plugins into FOLDER.")
@click.argument("folder", metavar="[FOLDER]", default=LV2_FOLDER)
def command(cflags: bool, lv2: bool, folder: str) -> None:
    """Show the C library and its header, or install the LV2 plugins into FOLDER (~/.lv2)."""
    if lv2:
        try:
            bundle = install(Path(os.path.expanduser(folder)))
        except OSError as error:
            raise RtsepError(f"{folder}: {reason(error)}", remedy(error)) from None
        click.echo(f"{bundle}: {', '.join(kind.name for kind in KINDS)}")
        return
    if folder != LV2_FOLDER:
        raise RtsepError(f"FOLDER {folder} is for --lv2", "add --lv2, or leave it out")
    library = built_file(LIBRARY)
    if cflags:
        click.echo(f"-I{header().parent} -L{library.parent} -Wl,-rpath,{library.parent} -lrtsep")
        return
    click.echo(f"header   {header()}\nlibrary  {library}")
    click.echo(f"plugins  rtsep embed --lv2 installs them into {LV2_FOLDER}")
