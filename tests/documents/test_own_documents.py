"""Our own documents against the contract that anybody's are held to."""

from __future__ import annotations

import pytest

from mailshare.interfaces import IDocuments
from mailshare.testing.documents_contract import DocumentsContract


class TestDocuments(DocumentsContract):
    """Confined processes."""

    @pytest.fixture
    def documents(self, desk: IDocuments) -> IDocuments:
        """What an office has."""
        return desk
