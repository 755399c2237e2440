"""The catalogue's tables.

================  ==============================================  =======================================
table             one row is                                      known by
================  ==============================================  =======================================
archive_file      a path of the archive as last scanned           path
spectrum          a content of an apStar file that was read       digest of the content
visit             a visit of such a content                       digest, number
normalization     a normalised spectrum and its file              content + parameters + method version
model             a trained model and its file                    training set + parameters + method version
verdict           what was decided about a training               training set + parameters
in_force          a model put in force (the newest of a name is)  id, counted up
reference_star    a spectrum on which new models are compared     name of the models, normalisation
result            what a model inferred from a normalisation      normalisation + model + parameters + version
result_row        one normalised row of a result                  result, row
label             one label of a row with its errors              result, row, name
rejection         input that is bad for good                      content (or path) + stage + reader version
night_run         a run over a night: what it set out to do       telescope, mjd, run
night_file        a file that such a run listed                   telescope, mjd, run, path
duplicate_work    a product that was made a second time           id, counted up
================  ==============================================  =======================================

Rows are added, never changed, but for these: ``archive_file`` follows the archive, ``night_run`` and ``night_file``
follow their run, a rejection that is met again takes the new time and text.

A change here needs a new revision below ``migrations/versions`` and the new :data:`HEAD`; a test holds the three
together.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, String, Table, Text

from apogee_labels.catalog.db.columns import Matrix, Names, Real, UtcTime, Whole, Word
from apogee_labels.catalog.records import FileState, FileStatus, Stage, VerdictOutcome, WorkKind
from apogee_labels.core.errors import Reason

HEAD = "0004"
"""The schema version that this code reads and writes: Alembic's newest revision."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

DIGEST = String(64)
PATH = String(1024)
TELESCOPE = String(16)
RUN = String(250)
NAME = String(128)
VERSION = String(64)

archive_file = Table(
    "archive_file",
    metadata,
    Column("path", PATH, primary_key=True, comment="absolute path"),
    Column("telescope", TELESCOPE, nullable=False, comment="apo25m, lco25m"),
    Column("obj", NAME, nullable=False, comment="name of the star in the path"),
    Column("size", Whole, nullable=False, comment="bytes"),
    Column("mtime_ns", Whole, nullable=False, comment="time of modification, ns since 1970"),
    Column("digest", DIGEST, index=True, comment="SHA-256 of the content; null: no content to read"),
    Column("state", Word(FileState), nullable=False, index=True, comment="present, gone, writing or night_unknown"),
    Column("scanned_at", UtcTime, nullable=False, comment="when it was last looked at"),
    comment="A path of the archive as last scanned",
)

spectrum = Table(
    "spectrum",
    metadata,
    Column("digest", DIGEST, primary_key=True, comment="SHA-256 of the content"),
    Column("path", PATH, nullable=False, comment="where it was first seen"),
    Column("obj", NAME, nullable=False, index=True, comment="name of the star in the header"),
    Column("telescope", TELESCOPE, comment="apo25m, lco25m"),
    Column("field", NAME, comment="field, up to DR17"),
    Column("healpix", Whole, comment="HEALPix number, SDSS-V"),
    Column("release", NAME, nullable=False, comment="SDSS release of the archive"),
    Column("apred", NAME, nullable=False, comment="version of the reduction"),
    Column("snr", Real, comment="S/N of the combined spectrum in the header"),
    Column("n_visits", Whole, nullable=False, comment="number of visits in the header"),
    Column("starflag", Whole, nullable=False, comment="APOGEE_STARFLAG, OR of the visits"),
    Column("reader_version", VERSION, nullable=False, comment="version of the reader"),
    Column("seen_at", UtcTime, nullable=False, comment="when it was first read"),
    comment="A content of an apStar file that was read",
)

visit = Table(
    "visit",
    metadata,
    Column("digest", ForeignKey(spectrum.c.digest), primary_key=True, comment="the content"),
    Column("number", Whole, primary_key=True, autoincrement=False, comment="number of the visit, from 1"),
    Column("mjd", Whole, nullable=False, index=True, comment="SDSS MJD of the night"),
    Column("fiber", Whole, comment="fiber number"),
    Column("snr", Real, comment="S/N of the visit"),
    Column("starflag", Whole, nullable=False, comment="APOGEE_STARFLAG of the visit"),
    Column("file", PATH, comment="name of the apVisit file"),
    comment="A visit of a content",
)

normalization = Table(
    "normalization",
    metadata,
    Column("id", DIGEST, primary_key=True, comment="identity: content + parameters + method version"),
    Column("digest", ForeignKey(spectrum.c.digest), nullable=False, index=True, comment="the content"),
    Column("path", PATH, nullable=False, comment="the file that holds it"),
    Column("n_rows", Whole, nullable=False, comment="1 for a stack, else one a visit"),
    Column("parameters", JSON, nullable=False, comment="continuum parameters"),
    Column("method_version", VERSION, nullable=False, comment="version of the method"),
    Column("seconds", Real, comment="how long it took"),
    Column("created", UtcTime, nullable=False, comment="when it was made"),
    Column("code_version", VERSION, comment="version of the code that made it; null: not known"),
    comment="A normalised spectrum",
)

model = Table(
    "model",
    metadata,
    Column("id", DIGEST, primary_key=True, comment="identity: training set + parameters + method version"),
    Column("name", NAME, nullable=False, index=True, comment="the name under which it may be in force"),
    Column("training_set_digest", DIGEST, nullable=False, comment="SHA-256 of the training set's content"),
    Column("parameters", JSON, nullable=False, comment="training parameters"),
    Column("label_names", Names, nullable=False, comment="the labels in their order"),
    Column("n_stars", Whole, nullable=False, comment="stars of the training set"),
    Column("n_pixels", Whole, nullable=False, comment="pixels of its grid"),
    Column("path", PATH, nullable=False, comment="the file that holds it"),
    Column("method_version", VERSION, nullable=False, comment="version of the method"),
    Column("seconds", Real, comment="how long it took"),
    Column("created", UtcTime, nullable=False, comment="when it was made"),
    Column(
        "normalization",
        JSON(none_as_null=True),
        comment="continuum parameters of its training spectra; null: not recorded in the training set",
    ),
    Column("provenance", JSON(none_as_null=True), comment="what the training set says it was made from; null: nothing"),
    Column("code_version", VERSION, comment="version of the code that made it; null: not known"),
    comment="A trained model",
)

verdict = Table(
    "verdict",
    metadata,
    Column("identity", DIGEST, primary_key=True, comment="identity: training set + parameters"),
    Column("outcome", Word(VerdictOutcome), nullable=False, comment="accepted, refused or broken"),
    Column("reason", Text, nullable=False, comment="why"),
    Column("model_id", ForeignKey(model.c.id), comment="the model, if one was made"),
    Column("decided_by", NAME, nullable=False, comment="a person, or the rule that decided"),
    Column("created", UtcTime, nullable=False, comment="when it was decided"),
    Column(
        "details",
        JSON(none_as_null=True),
        comment="the numbers that it rests on, who was asked and what came; null: none",
    ),
    comment="What was decided about a training",
)

in_force = Table(
    "in_force",
    metadata,
    Column("id", Integer, primary_key=True, comment="counted up: the newest of a name is in force"),
    Column("name", NAME, nullable=False, index=True, comment="the name of the line of models"),
    Column("model_id", ForeignKey(model.c.id), nullable=False, comment="the model"),
    Column("since", UtcTime, nullable=False, comment="from when"),
    Column("decided_by", NAME, nullable=False, comment="a person, or the rule that decided"),
    Column("reason", Text, comment="why; null: not known"),
    comment="A model put in force",
)

reference_star = Table(
    "reference_star",
    metadata,
    Column("name", NAME, primary_key=True, comment="the name of the line of models"),
    Column(
        "normalization_id", ForeignKey(normalization.c.id), primary_key=True, comment="the spectrum that is compared"
    ),
    Column("obj", NAME, nullable=False, comment="name of the star"),
    Column("chosen_at", UtcTime, nullable=False, comment="when it was chosen"),
    comment="A star whose labels by a new model are held against those by the model in force",
)

result = Table(
    "result",
    metadata,
    Column("id", DIGEST, primary_key=True, comment="identity: normalisation + model + parameters + version"),
    Column("normalization_id", ForeignKey(normalization.c.id), nullable=False, index=True, comment="of what"),
    Column("model_id", ForeignKey(model.c.id), nullable=False, index=True, comment="by which model"),
    Column("parameters", JSON, nullable=False, comment="inference parameters"),
    Column("method_version", VERSION, nullable=False, comment="version of the method"),
    Column("seconds", Real, comment="how long it took"),
    Column("created", UtcTime, nullable=False, comment="when it was made"),
    Column("code_version", VERSION, comment="version of the code that made it; null: not known"),
    comment="What a model inferred from a normalised spectrum",
)

result_row = Table(
    "result_row",
    metadata,
    Column("result_id", ForeignKey(result.c.id), primary_key=True, comment="the result"),
    Column("row", Whole, primary_key=True, autoincrement=False, comment="the normalised row, from 0"),
    Column("mjd", Whole, comment="SDSS MJD of the row's visit; null: a stack of visits"),
    Column("chi_sq", Real, comment="chi-square of the fit"),
    Column("reduced_chi_sq", Real, comment="chi-square a degree of freedom"),
    Column("unexplained", Real, comment="share of the lines that the model leaves unexplained; null: not known"),
    Column("snr", Real, comment="S/N of the row"),
    Column("n_pixels", Whole, nullable=False, comment="pixels that took part"),
    Column("converged", Boolean, nullable=False, comment="whether the fit converged"),
    Column("n_iterations", Whole, nullable=False, comment="steps of the fit; -1: not known"),
    Column("flags", Whole, nullable=False, comment="bits of ResultFlag"),
    Column("covariance", Matrix, nullable=False, comment="formal, (L, L), in the order of the model's labels"),
    comment="One normalised row of a result",
)

label = Table(
    "label",
    metadata,
    Column("result_id", DIGEST, primary_key=True, comment="the result"),
    Column("row", Whole, primary_key=True, autoincrement=False, comment="the normalised row"),
    Column("name", NAME, primary_key=True, comment="TEFF, LOGG, ..."),
    Column("value", Real, comment="in the label's unit; null: not a number"),
    Column("error", Real, comment="formal, and what validation found beyond; null: not a number"),
    Column("raw_error", Real, comment="formal error; null: not a number"),
    ForeignKeyConstraint(["result_id", "row"], [result_row.c.result_id, result_row.c.row]),
    comment="One label of a row with its errors",
)

rejection = Table(
    "rejection",
    metadata,
    Column("id", DIGEST, primary_key=True, comment="identity: subject + stage + reader version"),
    Column("subject", DIGEST, nullable=False, index=True, comment="the content, or a path without content"),
    Column("path", PATH, nullable=False, comment="where it was found"),
    Column("stage", Word(Stage), nullable=False, comment="the step that rejected it"),
    Column("reason", Word(Reason), nullable=False, comment="the kind of fault"),
    Column("message", Text, nullable=False, comment="what was expected and what came"),
    Column("reader_version", VERSION, nullable=False, comment="version of the reader"),
    Column("created", UtcTime, nullable=False, comment="when it was last found so"),
    comment="Input that is bad for good",
)

night_run = Table(
    "night_run",
    metadata,
    Column("telescope", TELESCOPE, primary_key=True, comment="apo25m, lco25m"),
    Column("mjd", Whole, primary_key=True, autoincrement=False, comment="SDSS MJD of the night"),
    Column("run_id", RUN, primary_key=True, comment="the run"),
    Column("model_id", ForeignKey(model.c.id), comment="the model pinned; null: none was in force"),
    Column("listed_at", UtcTime, nullable=False, comment="when its files were listed"),
    Column("published_at", UtcTime, comment="when its table was written"),
    Column("summary", JSON(none_as_null=True), comment="what became of its files"),
    comment="A run over a night",
)

night_file = Table(
    "night_file",
    metadata,
    Column("telescope", TELESCOPE, primary_key=True, comment="the run's"),
    Column("mjd", Whole, primary_key=True, autoincrement=False, comment="the run's"),
    Column("run_id", RUN, primary_key=True, comment="the run's"),
    Column("path", PATH, primary_key=True, comment="absolute path"),
    Column("digest", DIGEST, index=True, comment="its content when listed; null: none"),
    Column("state", Word(FileStatus), nullable=False, comment="due, complete or rejected when listed"),
    ForeignKeyConstraint(["telescope", "mjd", "run_id"], [night_run.c.telescope, night_run.c.mjd, night_run.c.run_id]),
    comment="A file that a run listed",
)

duplicate_work = Table(
    "duplicate_work",
    metadata,
    Column("id", Integer, primary_key=True, comment="counted up"),
    Column("kind", Word(WorkKind), nullable=False, comment="normalization, model or result"),
    Column("identity", DIGEST, nullable=False, comment="the product's"),
    Column("created", UtcTime, nullable=False, comment="when it was made again"),
    comment="A product that was made a second time",
)
