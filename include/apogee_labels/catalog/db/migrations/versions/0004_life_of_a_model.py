"""How a model was judged and why it is in force, what its training set was normalised with, the code that made each product.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

CODE = 'version of the code that made it; null: not known'


def upgrade() -> None:
    op.add_column('verdict', sa.Column('details', sa.JSON(none_as_null=True), nullable=True, comment='the numbers that it rests on, who was asked and what came; null: none'))
    op.add_column('in_force', sa.Column('reason', sa.Text(), nullable=True, comment='why; null: not known'))
    op.add_column('model', sa.Column('normalization', sa.JSON(none_as_null=True), nullable=True, comment='continuum parameters of its training spectra; null: not recorded in the training set'))
    op.add_column('model', sa.Column('provenance', sa.JSON(none_as_null=True), nullable=True, comment='what the training set says it was made from; null: nothing'))
    for table in ('normalization', 'model', 'result'):
        op.add_column(table, sa.Column('code_version', sa.String(length=64), nullable=True, comment=CODE))
    op.create_table(
        'reference_star',
        sa.Column('name', sa.String(length=128), nullable=False, comment='the name of the line of models'),
        sa.Column('normalization_id', sa.String(length=64), nullable=False, comment='the spectrum that is compared'),
        sa.Column('obj', sa.String(length=128), nullable=False, comment='name of the star'),
        sa.Column('chosen_at', sa.DateTime(timezone=True), nullable=False, comment='when it was chosen'),
        sa.ForeignKeyConstraint(['normalization_id'], ['normalization.id'], name=op.f('fk_reference_star_normalization_id')),
        sa.PrimaryKeyConstraint('name', 'normalization_id', name=op.f('pk_reference_star')),
        comment='A star whose labels by a new model are held against those by the model in force',
    )


def downgrade() -> None:
    op.drop_table('reference_star')
    for table in ('normalization', 'model', 'result'):
        op.drop_column(table, 'code_version')
    op.drop_column('model', 'provenance')
    op.drop_column('model', 'normalization')
    op.drop_column('in_force', 'reason')
    op.drop_column('verdict', 'details')
