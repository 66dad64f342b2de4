"""All operations that there are, by the document that describes each."""

from __future__ import annotations

from postern.services.ews.operation import Operation
from postern.services.ews.operations.convert_id import CONVERT_ID
from postern.services.ews.operations.create_attachment import CREATE_ATTACHMENT
from postern.services.ews.operations.create_item import CREATE_ITEM
from postern.services.ews.operations.delete_attachment import DELETE_ATTACHMENT
from postern.services.ews.operations.find_folder import FIND_FOLDER
from postern.services.ews.operations.find_item import FIND_ITEM
from postern.services.ews.operations.get_attachment import GET_ATTACHMENT
from postern.services.ews.operations.get_folder import GET_FOLDER
from postern.services.ews.operations.get_item import GET_ITEM
from postern.services.ews.operations.send_item import SEND_ITEM
from postern.services.ews.operations.update_item import UPDATE_ITEM

OPERATIONS: tuple[Operation, ...] = (
    # MS-OXWSFOLD, MS-OXWSSRCH
    GET_FOLDER,
    FIND_FOLDER,
    FIND_ITEM,
    # MS-OXWSCORE
    GET_ITEM,
    CREATE_ITEM,
    UPDATE_ITEM,
    SEND_ITEM,
    # MS-OXWSATT
    GET_ATTACHMENT,
    CREATE_ATTACHMENT,
    DELETE_ATTACHMENT,
    # MS-OXWSCVTID
    CONVERT_ID,
)
