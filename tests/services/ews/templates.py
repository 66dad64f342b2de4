"""Requests that are in order, for any ids: chance seldom makes them."""

from __future__ import annotations

_SHAPE = "<t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
_ITEM = '<t:ItemId Id="{item}"/>'
_FOLDER = '<t:FolderId Id="{folder}"/>'
_KEYED = '<t:ItemId Id="{item}" ChangeKey="{key}"/>'
_MESSAGE = (
    "<t:Message><t:Subject>fuzz</t:Subject><t:ToRecipients><t:Mailbox><t:EmailAddress>carol@example.test</t:EmailAddress></t:Mailbox>"
    "</t:ToRecipients></t:Message>"
)
_SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'
_NAME = '<t:FieldURI FieldURI="folder:DisplayName"/>'
_UPDATES = f"<t:SetItemField>{_SUBJECT}<t:Message><t:Subject>fuzz</t:Subject></t:Message></t:SetItemField>"
_READ = '<t:FieldURI FieldURI="message:IsRead"/>'
_RENAMED = f"<t:SetFolderField>{_NAME}<t:Folder><t:DisplayName>fuzz</t:DisplayName></t:Folder></t:SetFolderField>"
_NUMBER = '<t:ExtendedFieldURI PropertyTag="0x1234" PropertyType="Integer"/>'
_MEETING = (
    "<t:CalendarItem><t:Subject>fuzz</t:Subject><t:Start>2026-12-01T10:00:00Z</t:Start><t:End>2026-12-01T11:00:00Z</t:End>"
    "</t:CalendarItem>"
)
_CHANGE = f'<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>{_ITEM}'
_CHANGED = "</t:ItemChange></m:ItemChanges></m:UpdateItem>"
_FILE = "<t:FileAttachment><t:Name>a.txt</t:Name><t:Content>YQ==</t:Content></t:FileAttachment>"

TEMPLATES = (
    f"<m:GetItem><m:ItemShape>{_SHAPE}</m:ItemShape><m:ItemIds>{_ITEM}</m:ItemIds></m:GetItem>",
    f"<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape><m:FolderIds>{_FOLDER}</m:FolderIds>"
    "</m:GetFolder>",
    '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>'
    f"<m:ParentFolderIds>{_FOLDER}</m:ParentFolderIds></m:FindItem>",
    '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>'
    f"<m:ParentFolderIds>{_FOLDER}</m:ParentFolderIds></m:FindFolder>",
    "<m:SyncFolderItems><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"
    f"<m:SyncFolderId>{_FOLDER}</m:SyncFolderId><m:MaxChangesReturned>100</m:MaxChangesReturned></m:SyncFolderItems>",
    "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    f"<m:SyncFolderId>{_FOLDER}</m:SyncFolderId></m:SyncFolderHierarchy>",
    f'<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId>{_FOLDER}</m:SavedItemFolderId>'
    f"<m:Items>{_MESSAGE}</m:Items></m:CreateItem>",
    f'<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items>{_MESSAGE}</m:Items></m:CreateItem>',
    '<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:ForwardItem><t:ReferenceItemId Id="{item}"/></t:ForwardItem>'
    "</m:Items></m:CreateItem>",
    f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{_MEETING}</m:Items></m:CreateItem>',
    f"{_CHANGE}<t:Updates>{_UPDATES}</t:Updates>{_CHANGED}",
    f"{_CHANGE}<t:Updates><t:SetItemField>{_READ}<t:Message><t:IsRead>true</t:IsRead></t:Message></t:SetItemField></t:Updates>{_CHANGED}",
    f"{_CHANGE}<t:Updates><t:SetItemField>{_NUMBER}<t:Message><t:ExtendedProperty>{_NUMBER}<t:Value>1</t:Value></t:ExtendedProperty>"
    f"</t:Message></t:SetItemField></t:Updates>{_CHANGED}",
    f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{_FOLDER}<t:Updates>{_RENAMED}</t:Updates></t:FolderChange></m:FolderChanges>"
    "</m:UpdateFolder>",
    f"<m:CreateFolder><m:ParentFolderId>{_FOLDER}</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>fuzz</t:DisplayName></t:Folder>"
    "</m:Folders></m:CreateFolder>",
    f"<m:MoveItem><m:ToFolderId>{_FOLDER}</m:ToFolderId><m:ItemIds>{_ITEM}</m:ItemIds></m:MoveItem>",
    f"<m:CopyItem><m:ToFolderId>{_FOLDER}</m:ToFolderId><m:ItemIds>{_ITEM}</m:ItemIds></m:CopyItem>",
    f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds>{_ITEM}</m:ItemIds></m:DeleteItem>',
    f'<m:DeleteItem DeleteType="MoveToDeletedItems"><m:ItemIds>{_ITEM}</m:ItemIds></m:DeleteItem>',
    f'<m:DeleteFolder DeleteType="HardDelete"><m:FolderIds>{_FOLDER}</m:FolderIds></m:DeleteFolder>',
    f'<m:EmptyFolder DeleteType="HardDelete" DeleteSubFolders="true"><m:FolderIds>{_FOLDER}</m:FolderIds></m:EmptyFolder>',
    f"<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts><m:FolderIds>{_FOLDER}"
    "</m:FolderIds></m:MarkAllItemsAsRead>",
    f'<m:SendItem SaveItemToFolder="true"><m:ItemIds>{_KEYED}</m:ItemIds></m:SendItem>',
    f'<m:CreateAttachment><m:ParentItemId Id="{{item}}"/><m:Attachments>{_FILE}</m:Attachments></m:CreateAttachment>',
    '<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id="{attachment}"/></m:AttachmentIds></m:GetAttachment>',
    f"<m:ExportItems><m:ItemIds>{_ITEM}</m:ItemIds></m:ExportItems>",
    f"<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>{_FOLDER}</t:FolderIds><t:EventTypes><t:EventType>NewMailEvent</t:EventType>"
    "</t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>",
    '<m:FindConversation><m:IndexedPageItemView MaxEntriesReturned="10" Offset="0" BasePoint="Beginning"/>'
    f"<m:ParentFolderId>{_FOLDER}</m:ParentFolderId></m:FindConversation>",
    "<m:GetConversationItems><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape><m:Conversations><t:Conversation>"
    '<t:ConversationId Id="{conversation}"/></t:Conversation></m:Conversations></m:GetConversationItems>',
    f'<m:GetUserConfiguration><m:UserConfigurationName Name="fuzz">{_FOLDER}</m:UserConfigurationName>'
    "<m:UserConfigurationProperties>All</m:UserConfigurationProperties></m:GetUserConfiguration>",
)
