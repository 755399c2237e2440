"""The report on a model as people read it: a page with tables and plots, and the question that they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apogee_labels.core.identity import short
from apogee_labels.core.labels import label_of
from apogee_labels.pipeline.models.judgement import figure

if TYPE_CHECKING:
    from apogee_labels.cannon.model import CannonModel

Content = Mapping[str, Any]
Row = Sequence[str]
PLOTS = ("one-to-one", "chi-square", "error-snr", "scatter")


def write_report_page(path: Path, content: Content, model: CannonModel) -> None:
    """Write the page of a report, atomically, and plotly's script beside it, once for all models."""
    from apogee_labels.cannon.plots.page import write_page, write_script
    from apogee_labels.cannon.plots.pages import draw_plots

    write_script(path.parent)
    write_page(
        path,
        "model_report.html",
        title=f"Model {short(content['model']['model_id'])}",
        report=content,
        summary=f"{_reference_sentence(content)} {_chi_square_sentence(content)}",
        labels=label_table(content),
        models=_model_table(content),
        shifts=_shift_table((content["reference"] or {}).get("shifts", {})),
        tolerances=[(name, f"{value:g}") for name, value in content["tolerances"].items()],
        plots=draw_plots(model, PLOTS),
    )


def question(content: Content, link: str, days: float) -> tuple[str, str]:
    """Return the subject and the body (Markdown) of the question whether a model is to come into force.

    Parameters
    ----------
    content
        Of the report.
    link
        Where its page is.
    days
        After which no answer means no.
    """
    ours, theirs = content["model"], content["in_force"]
    subject = f"Put model {short(ours['model_id'])} in force as {content['name']}?"
    than = f"The model in force is {short(theirs['model_id'])}." if theirs else "No model is in force yet."
    lines = [
        f"Model {short(ours['model_id'])}, trained on {ours['n_stars']} stars, is not accepted by itself. {than}",
        "",
        *(f"* {_markdown(reason)}" for reason in content["judgement"]["reasons"]),
        "",
        *_markdown_table(*label_table(content)),
        "",
        f"{_markdown(_reference_sentence(content))} {_markdown(_chi_square_sentence(content))}",
        "",
        f"[The whole report, with plots]({link})",
        "",
        f"Approve: it comes into force. Reject, or no answer in {days:g} days: it does not, and is not trained again.",
    ]
    return subject, "\n".join(lines)


def label_table(content: Content) -> tuple[Row, list[Row]]:
    """Return the head and the rows of the table of labels: the model's numbers, those of the model in force, the shifts."""
    ours, theirs, reference = content["model"], content["in_force"], content["reference"]
    head = ["Label", "Unit", "rms", "bias", "pull"]
    head += ["rms in force", "bias in force"] if theirs else []
    head += ["shift of reference stars", "its scatter"] if reference else []
    rows: list[Row] = []
    for name in ours["label_names"]:
        found = ours["labels"][name]
        row = [name, label_of(name).unit, *(_number(found[part]) for part in ("rms", "bias", "pull"))]
        if theirs:
            before = theirs["labels"].get(name, {})
            row += [_number(before.get(part)) for part in ("rms", "bias")]
        if reference:
            shift = reference["shifts"].get(name, {})
            row += [_number(shift.get(part)) for part in ("mean", "scatter")]
        rows.append(row)
    return head, rows


def _model_table(content: Content) -> tuple[Row, list[Row]]:
    """What the two models are, and which options their validation chose."""
    models = [found for found in (content["model"], content["in_force"]) if found]
    facts: dict[str, Callable[[Content], str]] = {
        "Identity": lambda found: short(found["model_id"]),
        "Training set": lambda found: short(found["training_set"]),
        "Labels": lambda found: ", ".join(found["label_names"]),
        "Order": lambda found: str(found["order"]),
        "L1 strength": lambda found: str(found["regularization"]),
        "Stars": lambda found: str(found["n_stars"]),
        "Folds": lambda found: str(found["n_folds"] or "not validated"),
        "Stars held back, with labels": lambda found: (
            f"{found['n_held_out']} of {found['n_held_out'] + found['n_failed']}"
        ),
        "Latent components": lambda found: str(found["n_components"]),
        "Correction for the coefficients' noise": lambda found: "on" if found["corrected"] else "off",
        "Errors beyond the formal ones": _empirical,
        **{
            f"Reduced chi-square, {name}": lambda found, name=name: _number(found["chi_square"].get(name))  # type: ignore[misc]
            for name in ("p5", "p16", "median", "p84", "p95")
        },
        "Share above 3": lambda found: _number(found["chi_square"].get("high")),
    }
    head = ["", "This model", "In force"][: len(models) + 1]
    return head, [[fact, *(text(found) for found in models)] for fact, text in facts.items()]


def _empirical(found: Content) -> str:
    errors = found["empirical"].items()
    return ", ".join(f"{name} {figure(value, name)}" for name, value in errors if value is not None) or "none"


def _shift_table(shifts: Content) -> tuple[Row, list[Row]]:
    parts = {"mean": "Mean", "scatter": "Scatter", "largest": "Largest", "error": "Median error", "n_stars": "Stars"}
    rows: list[Row] = [
        [name, label_of(name).unit, *(_number(found[part]) for part in parts)] for name, found in shifts.items()
    ]
    return ["Label", "Unit", *parts.values()], rows


def _reference_sentence(content: Content) -> str:
    found = content["reference"]
    if not found:
        return (
            "Reference stars: none yet."
            if content["in_force"]
            else "Reference stars: there is nothing to compare with."
        )
    if found["fault"]:
        return f"Reference stars: {found['fault']}"
    return (
        f"Reference stars: {found['n_compared']} of {found['n_stars']} compared, {found['n_left_out']} without a spectrum, "
        f"{found['n_failed']} without labels by this model only, {found['n_failed_before']} by the other only, "
        f"{found['n_outside']} outside the training set now."
    )


def _chi_square_sentence(content: Content) -> str:
    found = content["model"]["chi_square"]
    if not found:
        return "No star was held back."
    return (
        f"Reduced chi-square of stars held back: median {_number(found['median'])}, 16 to 84 % {_number(found['p16'])} to "
        f"{_number(found['p84'])}."
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _markdown_table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cell if cell == '---' else _markdown(cell) for cell in row)} |"


def _markdown(text: str) -> str:
    """Names of labels come from files: nothing in them is markup."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>|#" else letter for letter in text)
