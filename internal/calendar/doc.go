// Package calendar reads weddings from files and feeds: iCalendar, CSV and JSON lines, with
// local times, clock changes and unknown zones handled by rules that are told.
//
// Invariant: a file is taken whole or not at all; a feed that cannot be read leaves what is
// known as it is, and what vanished from it counts as cancelled only when it was read whole.
// Contacts and free text are in no error, note or log, and outside production they never
// leave this package. It must not import any other adapter: storage and fetching meet in
// ports.
package calendar
