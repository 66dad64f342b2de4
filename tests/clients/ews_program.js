// A program with ews-javascript-api, which speaks Exchange Web Services as Microsoft's managed library does. Each step prints a JSON
// list on a line: its name and what it found, or "error" and the server's words. Arguments: URL, address, password, colleague, version.
'use strict'
const ews = require('ews-javascript-api')

const [url, address, password, colleague, version] = process.argv.slice(2)
const service = new ews.ExchangeService(ews.ExchangeVersion[version])
service.Credentials = new ews.WebCredentials(address, password)
service.Url = new ews.Uri(url)
const { WellKnownFolderName: Folders, DateTime } = ews
const everything = () => new ews.PropertySet(ews.BasePropertySet.FirstClassProperties)
const letters = `By ${version}`

const steps = {
  async folder () {
    const inbox = await ews.Folder.Bind(service, Folders.Inbox)
    return inbox.DisplayName
  },
  async hierarchy () {
    const found = await service.FindFolders(Folders.MsgFolderRoot, new ews.FolderView(100))
    return found.Folders.map(each => each.DisplayName)
  },
  async send () {
    const letter = new ews.EmailMessage(service)
    letter.Subject = letters
    letter.Body = new ews.MessageBody(ews.BodyType.HTML, 'Hello from a script')
    letter.ToRecipients.Add(address)
    await letter.SendAndSaveCopy()
    const wanted = new ews.SearchFilter.ContainsSubstring(ews.ItemSchema.Subject, letters)
    for (let tries = 0; tries < 300; tries++) {
      const { Items } = await service.FindItems(Folders.Inbox, wanted, new ews.ItemView(10))
      if (Items.length) {
        await Items[0].Load(everything())
        return [Items[0].Subject, Items[0].From.Address, Items[0].Body.Text.includes('Hello from a script')]
      }
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  },
  async draft () {
    const draft = new ews.EmailMessage(service)
    draft.Subject = 'First'
    draft.Body = new ews.MessageBody('x')
    await draft.Save(Folders.Drafts)
    draft.Subject = 'Second'
    await draft.Update(ews.ConflictResolutionMode.AutoResolve)
    const again = await ews.EmailMessage.Bind(service, draft.Id)
    await draft.Delete(ews.DeleteMode.HardDelete)
    return again.Subject
  },
  async gone () {
    const draft = new ews.EmailMessage(service)
    await draft.Save(Folders.Drafts)
    await draft.Delete(ews.DeleteMode.HardDelete)
    try {
      await ews.EmailMessage.Bind(service, draft.Id)
    } catch (error) {
      return ews.ServiceError[error.ErrorCode]
    }
  },
  async attachment () {
    const draft = new ews.EmailMessage(service)
    draft.Attachments.AddFileAttachment('a.txt', Buffer.from('octets').toString('base64'))
    await draft.Save(Folders.Drafts)
    const again = await ews.EmailMessage.Bind(service, draft.Id, everything())
    const [file] = again.Attachments.Items
    await file.Load()
    await draft.Delete(ews.DeleteMode.HardDelete)
    return [file.Name, Buffer.from(file.Base64Content, 'base64').toString()]
  },
  async meeting () {
    const meeting = new ews.Appointment(service)
    meeting.Subject = letters
    if (version === 'Exchange2007_SP1') meeting.StartTimeZone = ews.TimeZoneInfo.Utc
    meeting.Start = DateTime.Now.AddDays(1)
    meeting.End = meeting.Start.AddHours(1)
    meeting.RequiredAttendees.Add(colleague)
    await meeting.Save(ews.SendInvitationsMode.SendToAllAndSaveCopy)
    const again = await ews.Appointment.Bind(service, meeting.Id)
    const view = new ews.CalendarView(DateTime.Now, DateTime.Now.AddDays(3))
    const { Items } = await service.FindAppointments(Folders.Calendar, view)
    return [again.Organizer.Address, Items.some(each => each.Subject === letters)]
  },
  async contact () {
    const contact = new ews.Contact(service)
    contact.GivenName = 'Bo'
    contact.Surname = 'Lee'
    contact.EmailAddresses._setItem(ews.EmailAddressKey.EmailAddress1, new ews.EmailAddress('bo@elsewhere.test'))
    await contact.Save()
    const again = await ews.Contact.Bind(service, contact.Id)
    return [again.GivenName, again.Surname]
  },
  async task () {
    const task = new ews.Task(service)
    task.Subject = letters
    task.DueDate = DateTime.Now.AddDays(2)
    await task.Save()
    const again = await ews.Task.Bind(service, task.Id)
    return [again.Subject, ews.TaskStatus[again.Status]]
  },
  async names () {
    const found = await service.ResolveName(colleague)
    return [found.Count, found._getItem(0).Mailbox.Address]
  },
  async availability () {
    const people = [new ews.AttendeeInfo(address), new ews.AttendeeInfo(colleague)]
    const window = new ews.TimeWindow(DateTime.Now, DateTime.Now.AddDays(2))
    const asked = await service.GetUserAvailability(people, window, ews.AvailabilityData.FreeBusyAndSuggestions)
    return [asked.AttendeesAvailability.Responses.map(each => each.CalendarEvents.length > 0), asked.Suggestions.length > 0]
  },
  async synchronization () {
    const inbox = new ews.FolderId(Folders.Inbox)
    const first = await service.SyncFolderItems(inbox, ews.PropertySet.IdOnly, null, 512, 0, null)
    const then = await service.SyncFolderItems(inbox, ews.PropertySet.IdOnly, null, 512, 0, first.SyncState)
    return [first.Count > 0, then.Count]
  },
  async away () {
    const settings = await service.GetUserOofSettings(address)
    return ews.OofState[settings.State]
  },
  async notifications () {
    const inbox = [new ews.FolderId(Folders.Inbox)]
    const subscription = await service.SubscribeToPullNotifications(inbox, 5, null, ews.EventType.NewMail)
    const events = await subscription.GetEvents()
    await subscription.Unsubscribe()
    return events.AllEvents.length
  },
  async refused () {
    const stranger = new ews.ExchangeService(ews.ExchangeVersion[version])
    stranger.Credentials = new ews.WebCredentials(address, 'wrong')
    stranger.Url = service.Url
    try {
      await ews.Folder.Bind(stranger, Folders.Inbox)
    } catch (error) {
      return error.message
    }
  }
}

async function main () {
  for (const [name, step] of Object.entries(steps)) {
    try {
      console.log(JSON.stringify([name, await step()]))
    } catch (error) {
      console.log(JSON.stringify([name, 'error', String(error.message || error)]))
    }
  }
}

main()
