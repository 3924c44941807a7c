"""`rtsep doctor`: everything that is looked at, and its remedy."""

import json

import click

SIGNS = {"ok": "ok", "note": "note", "warning": "WARNING", "fault": "FAULT"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Look whether this machine is ready for a show: rights, clock, memory, devices, servers, models, GPU.

    Exit code 1 where something is a fault: rtsep cannot work here.
    """
    from rtsep.rt.doctor.audio import look_at_audio
    from rtsep.rt.doctor.machine import look_at_machine
    from rtsep.rt.doctor.software import look_at_software

    findings = [*look_at_software(), *look_at_machine(), *look_at_audio()]
    if as_json:
        click.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        width = max(len(finding.topic) for finding in findings)
        for finding in findings:
            click.echo(f"{SIGNS[finding.grade]:>7}  {finding.topic:<{width}}  {finding.found}")
            if finding.remedy:
                click.echo(f"{'':>7}  {'':<{width}}  -> {finding.remedy}")
    ctx.exit(int(any(finding.grade == "fault" for finding in findings)))
