"""Formal errors beside those with what validation found, and the share of lines left unexplained.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batches: those make a table of SQLite anew, which its foreign keys do not let go while it has rows.
    op.add_column('label', sa.Column('raw_error', sa.Double(), nullable=True, comment='formal error; null: not a number'))
    op.add_column('result_row', sa.Column('unexplained', sa.Double(), nullable=True, comment='share of the lines that the model leaves unexplained; null: not known'))
    op.execute('UPDATE label SET raw_error = error')
    _comment(
        label='One label of a row with its errors',
        error='formal, and what validation found beyond; null: not a number',
        covariance="formal, (L, L), in the order of the model's labels",
    )


def downgrade() -> None:
    op.execute('UPDATE label SET error = raw_error')
    op.drop_column('result_row', 'unexplained')
    op.drop_column('label', 'raw_error')
    _comment(
        label='One label of a row with its formal error',
        error='formal error; null: not a number',
        covariance="(L, L), in the order of the model's labels",
    )


def _comment(*, label: str, error: str, covariance: str) -> None:
    """Say what is kept, where the database keeps comments."""
    if not op.get_bind().dialect.supports_comments:
        return
    op.create_table_comment('label', label)
    op.alter_column('label', 'error', comment=error)
    op.alter_column('result_row', 'covariance', comment=covariance)
