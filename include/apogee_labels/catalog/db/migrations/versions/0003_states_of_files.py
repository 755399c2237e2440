"""Files by their state, which knows those of no night, and listed contents by their digest.

A telescope has half of all files, which no index helps to find.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

FILE = sa.table('archive_file', sa.column('state', sa.String), sa.column('digest', sa.String))
SPECTRUM = sa.table('spectrum', sa.column('digest', sa.String))


def upgrade() -> None:
    op.drop_index('ix_archive_file_telescope', table_name='archive_file')
    op.create_index('ix_archive_file_state', 'archive_file', ['state'])
    was_read = sa.select(SPECTRUM.c.digest).where(SPECTRUM.c.digest == FILE.c.digest).exists()
    op.execute(FILE.update().where(FILE.c.state == 'present', ~was_read).values(state='night_unknown'))
    op.create_index('ix_night_file_digest', 'night_file', ['digest'])
    _comment('present, gone, writing or night_unknown')


def downgrade() -> None:
    op.drop_index('ix_night_file_digest', table_name='night_file')
    op.execute(FILE.update().where(FILE.c.state.in_(['night_unknown', 'writing'])).values(state='present'))
    op.drop_index('ix_archive_file_state', table_name='archive_file')
    op.create_index('ix_archive_file_telescope', 'archive_file', ['telescope'])
    _comment('present or gone')


def _comment(text: str) -> None:
    """Say what is kept, where the database keeps comments."""
    if op.get_bind().dialect.supports_comments:
        op.alter_column('archive_file', 'state', comment=text)
