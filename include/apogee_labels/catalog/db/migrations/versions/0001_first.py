"""The first schema.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('archive_file',
    sa.Column('path', sa.String(length=1024), nullable=False, comment='absolute path'),
    sa.Column('telescope', sa.String(length=16), nullable=False, comment='apo25m, lco25m'),
    sa.Column('obj', sa.String(length=128), nullable=False, comment='name of the star in the path'),
    sa.Column('size', sa.BigInteger(), nullable=False, comment='bytes'),
    sa.Column('mtime_ns', sa.BigInteger(), nullable=False, comment='time of modification, ns since 1970'),
    sa.Column('digest', sa.String(length=64), nullable=True, comment='SHA-256 of the content; null: no content to read'),
    sa.Column('state', sa.String(length=32), nullable=False, comment='present or gone'),
    sa.Column('scanned_at', sa.DateTime(timezone=True), nullable=False, comment='when it was last looked at'),
    sa.PrimaryKeyConstraint('path', name=op.f('pk_archive_file')),
    comment='A path of the archive as last scanned'
    )
    with op.batch_alter_table('archive_file', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_archive_file_digest'), ['digest'], unique=False)
        batch_op.create_index(batch_op.f('ix_archive_file_telescope'), ['telescope'], unique=False)

    op.create_table('duplicate_work',
    sa.Column('id', sa.Integer(), nullable=False, comment='counted up'),
    sa.Column('kind', sa.String(length=32), nullable=False, comment='normalization, model or result'),
    sa.Column('identity', sa.String(length=64), nullable=False, comment="the product's"),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False, comment='when it was made again'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_duplicate_work')),
    comment='A product that was made a second time'
    )
    op.create_table('model',
    sa.Column('id', sa.String(length=64), nullable=False, comment='identity: training set + parameters + method version'),
    sa.Column('name', sa.String(length=128), nullable=False, comment='the name under which it may be in force'),
    sa.Column('training_set_digest', sa.String(length=64), nullable=False, comment="SHA-256 of the training set's content"),
    sa.Column('parameters', sa.JSON(), nullable=False, comment='training parameters'),
    sa.Column('label_names', sa.JSON(), nullable=False, comment='the labels in their order'),
    sa.Column('n_stars', sa.BigInteger(), nullable=False, comment='stars of the training set'),
    sa.Column('n_pixels', sa.BigInteger(), nullable=False, comment='pixels of its grid'),
    sa.Column('path', sa.String(length=1024), nullable=False, comment='the file that holds it'),
    sa.Column('method_version', sa.String(length=64), nullable=False, comment='version of the method'),
    sa.Column('seconds', sa.Double(), nullable=True, comment='how long it took'),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False, comment='when it was made'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_model')),
    comment='A trained model'
    )
    with op.batch_alter_table('model', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_model_name'), ['name'], unique=False)

    op.create_table('rejection',
    sa.Column('id', sa.String(length=64), nullable=False, comment='identity: subject + stage + reader version'),
    sa.Column('subject', sa.String(length=64), nullable=False, comment='the content, or a path without content'),
    sa.Column('path', sa.String(length=1024), nullable=False, comment='where it was found'),
    sa.Column('stage', sa.String(length=32), nullable=False, comment='the step that rejected it'),
    sa.Column('reason', sa.String(length=32), nullable=False, comment='the kind of fault'),
    sa.Column('message', sa.Text(), nullable=False, comment='what was expected and what came'),
    sa.Column('reader_version', sa.String(length=64), nullable=False, comment='version of the reader'),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False, comment='when it was last found so'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rejection')),
    comment='Input that is bad for good'
    )
    with op.batch_alter_table('rejection', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_rejection_subject'), ['subject'], unique=False)

    op.create_table('spectrum',
    sa.Column('digest', sa.String(length=64), nullable=False, comment='SHA-256 of the content'),
    sa.Column('path', sa.String(length=1024), nullable=False, comment='where it was first seen'),
    sa.Column('obj', sa.String(length=128), nullable=False, comment='name of the star in the header'),
    sa.Column('telescope', sa.String(length=16), nullable=True, comment='apo25m, lco25m'),
    sa.Column('field', sa.String(length=128), nullable=True, comment='field, up to DR17'),
    sa.Column('healpix', sa.BigInteger(), nullable=True, comment='HEALPix number, SDSS-V'),
    sa.Column('release', sa.String(length=128), nullable=False, comment='SDSS release of the archive'),
    sa.Column('apred', sa.String(length=128), nullable=False, comment='version of the reduction'),
    sa.Column('snr', sa.Double(), nullable=True, comment='S/N of the combined spectrum in the header'),
    sa.Column('n_visits', sa.BigInteger(), nullable=False, comment='number of visits in the header'),
    sa.Column('starflag', sa.BigInteger(), nullable=False, comment='APOGEE_STARFLAG, OR of the visits'),
    sa.Column('reader_version', sa.String(length=64), nullable=False, comment='version of the reader'),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False, comment='when it was first read'),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_spectrum')),
    comment='A content of an apStar file that was read'
    )
    with op.batch_alter_table('spectrum', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_spectrum_obj'), ['obj'], unique=False)

    op.create_table('in_force',
    sa.Column('id', sa.Integer(), nullable=False, comment='counted up: the newest of a name is in force'),
    sa.Column('name', sa.String(length=128), nullable=False, comment='the name of the line of models'),
    sa.Column('model_id', sa.String(length=64), nullable=False, comment='the model'),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False, comment='from when'),
    sa.Column('decided_by', sa.String(length=128), nullable=False, comment='a person, or the rule that decided'),
    sa.ForeignKeyConstraint(['model_id'], ['model.id'], name=op.f('fk_in_force_model_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_in_force')),
    comment='A model put in force'
    )
    with op.batch_alter_table('in_force', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_in_force_name'), ['name'], unique=False)

    op.create_table('night_run',
    sa.Column('telescope', sa.String(length=16), nullable=False, comment='apo25m, lco25m'),
    sa.Column('mjd', sa.BigInteger(), autoincrement=False, nullable=False, comment='SDSS MJD of the night'),
    sa.Column('run_id', sa.String(length=250), nullable=False, comment='the run'),
    sa.Column('model_id', sa.String(length=64), nullable=True, comment='the model pinned; null: none was in force'),
    sa.Column('listed_at', sa.DateTime(timezone=True), nullable=False, comment='when its files were listed'),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True, comment='when its table was written'),
    sa.Column('summary', sa.JSON(none_as_null=True), nullable=True, comment='what became of its files'),
    sa.ForeignKeyConstraint(['model_id'], ['model.id'], name=op.f('fk_night_run_model_id')),
    sa.PrimaryKeyConstraint('telescope', 'mjd', 'run_id', name=op.f('pk_night_run')),
    comment='A run over a night'
    )
    op.create_table('normalization',
    sa.Column('id', sa.String(length=64), nullable=False, comment='identity: content + parameters + method version'),
    sa.Column('digest', sa.String(length=64), nullable=False, comment='the content'),
    sa.Column('path', sa.String(length=1024), nullable=False, comment='the file that holds it'),
    sa.Column('n_rows', sa.BigInteger(), nullable=False, comment='1 for a stack, else one a visit'),
    sa.Column('parameters', sa.JSON(), nullable=False, comment='continuum parameters'),
    sa.Column('method_version', sa.String(length=64), nullable=False, comment='version of the method'),
    sa.Column('seconds', sa.Double(), nullable=True, comment='how long it took'),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False, comment='when it was made'),
    sa.ForeignKeyConstraint(['digest'], ['spectrum.digest'], name=op.f('fk_normalization_digest')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_normalization')),
    comment='A normalised spectrum'
    )
    with op.batch_alter_table('normalization', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_normalization_digest'), ['digest'], unique=False)

    op.create_table('verdict',
    sa.Column('identity', sa.String(length=64), nullable=False, comment='identity: training set + parameters'),
    sa.Column('outcome', sa.String(length=32), nullable=False, comment='accepted, refused or broken'),
    sa.Column('reason', sa.Text(), nullable=False, comment='why'),
    sa.Column('model_id', sa.String(length=64), nullable=True, comment='the model, if one was made'),
    sa.Column('decided_by', sa.String(length=128), nullable=False, comment='a person, or the rule that decided'),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False, comment='when it was decided'),
    sa.ForeignKeyConstraint(['model_id'], ['model.id'], name=op.f('fk_verdict_model_id')),
    sa.PrimaryKeyConstraint('identity', name=op.f('pk_verdict')),
    comment='What was decided about a training'
    )
    op.create_table('visit',
    sa.Column('digest', sa.String(length=64), nullable=False, comment='the content'),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False, comment='number of the visit, from 1'),
    sa.Column('mjd', sa.BigInteger(), nullable=False, comment='SDSS MJD of the night'),
    sa.Column('fiber', sa.BigInteger(), nullable=True, comment='fiber number'),
    sa.Column('snr', sa.Double(), nullable=True, comment='S/N of the visit'),
    sa.Column('starflag', sa.BigInteger(), nullable=False, comment='APOGEE_STARFLAG of the visit'),
    sa.Column('file', sa.String(length=1024), nullable=True, comment='name of the apVisit file'),
    sa.ForeignKeyConstraint(['digest'], ['spectrum.digest'], name=op.f('fk_visit_digest')),
    sa.PrimaryKeyConstraint('digest', 'number', name=op.f('pk_visit')),
    comment='A visit of a content'
    )
    with op.batch_alter_table('visit', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_visit_mjd'), ['mjd'], unique=False)

    op.create_table('night_file',
    sa.Column('telescope', sa.String(length=16), nullable=False, comment="the run's"),
    sa.Column('mjd', sa.BigInteger(), autoincrement=False, nullable=False, comment="the run's"),
    sa.Column('run_id', sa.String(length=250), nullable=False, comment="the run's"),
    sa.Column('path', sa.String(length=1024), nullable=False, comment='absolute path'),
    sa.Column('digest', sa.String(length=64), nullable=True, comment='its content when listed; null: none'),
    sa.Column('state', sa.String(length=32), nullable=False, comment='due, complete or rejected when listed'),
    sa.ForeignKeyConstraint(['telescope', 'mjd', 'run_id'], ['night_run.telescope', 'night_run.mjd', 'night_run.run_id'], name=op.f('fk_night_file_telescope_mjd_run_id')),
    sa.PrimaryKeyConstraint('telescope', 'mjd', 'run_id', 'path', name=op.f('pk_night_file')),
    comment='A file that a run listed'
    )
    op.create_table('result',
    sa.Column('id', sa.String(length=64), nullable=False, comment='identity: normalisation + model + parameters + version'),
    sa.Column('normalization_id', sa.String(length=64), nullable=False, comment='of what'),
    sa.Column('model_id', sa.String(length=64), nullable=False, comment='by which model'),
    sa.Column('parameters', sa.JSON(), nullable=False, comment='inference parameters'),
    sa.Column('method_version', sa.String(length=64), nullable=False, comment='version of the method'),
    sa.Column('seconds', sa.Double(), nullable=True, comment='how long it took'),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False, comment='when it was made'),
    sa.ForeignKeyConstraint(['model_id'], ['model.id'], name=op.f('fk_result_model_id')),
    sa.ForeignKeyConstraint(['normalization_id'], ['normalization.id'], name=op.f('fk_result_normalization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_result')),
    comment='What a model inferred from a normalised spectrum'
    )
    with op.batch_alter_table('result', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_result_model_id'), ['model_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_result_normalization_id'), ['normalization_id'], unique=False)

    op.create_table('result_row',
    sa.Column('result_id', sa.String(length=64), nullable=False, comment='the result'),
    sa.Column('row', sa.BigInteger(), autoincrement=False, nullable=False, comment='the normalised row, from 0'),
    sa.Column('mjd', sa.BigInteger(), nullable=True, comment="SDSS MJD of the row's visit; null: a stack of visits"),
    sa.Column('chi_sq', sa.Double(), nullable=True, comment='chi-square of the fit'),
    sa.Column('reduced_chi_sq', sa.Double(), nullable=True, comment='chi-square a degree of freedom'),
    sa.Column('snr', sa.Double(), nullable=True, comment='S/N of the row'),
    sa.Column('n_pixels', sa.BigInteger(), nullable=False, comment='pixels that took part'),
    sa.Column('converged', sa.Boolean(), nullable=False, comment='whether the fit converged'),
    sa.Column('n_iterations', sa.BigInteger(), nullable=False, comment='steps of the fit; -1: not known'),
    sa.Column('flags', sa.BigInteger(), nullable=False, comment='bits of ResultFlag'),
    sa.Column('covariance', sa.JSON(), nullable=False, comment="(L, L), in the order of the model's labels"),
    sa.ForeignKeyConstraint(['result_id'], ['result.id'], name=op.f('fk_result_row_result_id')),
    sa.PrimaryKeyConstraint('result_id', 'row', name=op.f('pk_result_row')),
    comment='One normalised row of a result'
    )
    op.create_table('label',
    sa.Column('result_id', sa.String(length=64), nullable=False, comment='the result'),
    sa.Column('row', sa.BigInteger(), autoincrement=False, nullable=False, comment='the normalised row'),
    sa.Column('name', sa.String(length=128), nullable=False, comment='TEFF, LOGG, ...'),
    sa.Column('value', sa.Double(), nullable=True, comment="in the label's unit; null: not a number"),
    sa.Column('error', sa.Double(), nullable=True, comment='formal error; null: not a number'),
    sa.ForeignKeyConstraint(['result_id', 'row'], ['result_row.result_id', 'result_row.row'], name=op.f('fk_label_result_id_row')),
    sa.PrimaryKeyConstraint('result_id', 'row', 'name', name=op.f('pk_label')),
    comment='One label of a row with its formal error'
    )


def downgrade() -> None:
    op.drop_table('label')
    op.drop_table('result_row')
    with op.batch_alter_table('result', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_result_normalization_id'))
        batch_op.drop_index(batch_op.f('ix_result_model_id'))

    op.drop_table('result')
    op.drop_table('night_file')
    with op.batch_alter_table('visit', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_visit_mjd'))

    op.drop_table('visit')
    op.drop_table('verdict')
    with op.batch_alter_table('normalization', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_normalization_digest'))

    op.drop_table('normalization')
    op.drop_table('night_run')
    with op.batch_alter_table('in_force', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_in_force_name'))

    op.drop_table('in_force')
    with op.batch_alter_table('spectrum', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_spectrum_obj'))

    op.drop_table('spectrum')
    with op.batch_alter_table('rejection', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_rejection_subject'))

    op.drop_table('rejection')
    with op.batch_alter_table('model', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_model_name'))

    op.drop_table('model')
    op.drop_table('duplicate_work')
    with op.batch_alter_table('archive_file', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_archive_file_telescope'))
        batch_op.drop_index(batch_op.f('ix_archive_file_digest'))

    op.drop_table('archive_file')
