package calendar

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// The fields of a wedding in files. Free text is read past and kept nowhere.
const (
	fieldReference   = "reference"
	fieldZone        = "timeZone"
	fieldStart       = "startsAt"
	fieldEnd         = "endsAt"
	fieldGuests      = "guests"
	fieldType        = "type"
	fieldTier        = "tier"
	fieldRegion      = "region"
	fieldStatus      = "status"
	fieldCoordinator = "coordinator"
	fieldUID         = "externalUid"
	fieldVersion     = "sourceVersion"
	fieldName        = "contactName"
	fieldEmail       = "contactEmail"
	fieldPhone       = "contactPhone"
	fieldNotes       = "notes"
)

func fieldNames() []string {
	return []string{
		fieldReference, fieldZone, fieldStart, fieldEnd, fieldGuests, fieldType, fieldTier, fieldRegion, fieldStatus,
		fieldCoordinator, fieldUID, fieldVersion, fieldName, fieldEmail, fieldPhone, fieldNotes,
	}
}

// foldName makes one form of starts_at, "Starts at" and startsAt.
func foldName(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.TrimSpace(s)))
}

// knownField finds the field that a heading means.
func knownField(heading string) (string, bool) {
	folded := foldName(heading)
	for _, name := range fieldNames() {
		if foldName(name) == folded {
			return name, true
		}
	}
	return "", false
}

// record is one wedding as it was written.
type record struct {
	line   int
	fields map[string]string
}

// Defaults fill what rows leave out.
type Defaults struct {
	Source   string
	Region   string
	TimeZone string
}

// Reading is what a file says.
type Reading struct {
	Rows   []models.ImportRow
	Faults []models.ImportFault
	Notes  []models.ImportNote
}

// faulty adds a fault. Contacts are named and never shown.
func (r *Reading) faulty(line int, reference string, err *models.Error) {
	f := models.ImportFault{Line: line, Reference: bounded(reference), Field: err.Field, Value: err.Value, Rule: err.Rule}
	if strings.HasPrefix(f.Field, "contact") || f.Field == fieldNotes {
		f.Value = ""
	}
	r.Faults = append(r.Faults, f)
}

func (r *Reading) note(line int, reference, text string) {
	if text != "" {
		r.Notes = append(r.Notes, models.ImportNote{Line: line, Reference: bounded(reference), Text: text})
	}
}

// bounded keeps hostile input from filling answers.
func bounded(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// take reads a record into a row, or into a fault for its first field that is wrong.
func (r *Reading) take(rec record, d Defaults) {
	reference := rec.fields[fieldReference]
	row, notes, err := rec.row(d)
	if err != nil {
		r.faulty(rec.line, reference, err)
		return
	}
	for _, n := range notes {
		r.note(rec.line, reference, n)
	}
	r.Rows = append(r.Rows, row)
}

func (rec record) row(d Defaults) (models.ImportRow, []string, *models.Error) {
	f := rec.fields
	w := models.Wedding{
		Source: d.Source, Reference: f[fieldReference], TimeZone: cmp.Or(f[fieldZone], d.TimeZone),
		Type: models.WeddingType(strings.ToLower(f[fieldType])), Tier: models.WeddingTier(strings.ToLower(f[fieldTier])),
		Region: cmp.Or(f[fieldRegion], d.Region), Coordinator: f[fieldCoordinator], ExternalUID: f[fieldUID],
		Status: models.WeddingStatus(cmp.Or(strings.ToLower(f[fieldStatus]), string(models.WeddingConfirmed))),
	}
	row := models.ImportRow{Line: rec.line, Keep: models.ImportKeep{
		Type: w.Type == "", Tier: w.Tier == "", Region: w.Region == "", Coordinator: w.Coordinator == "",
		UID: w.ExternalUID == "", Version: f[fieldVersion] == "",
	}}
	notes, err := rec.times(&w)
	if err == nil {
		err = rec.numbers(&w)
	}
	if err != nil {
		return row, nil, err
	}
	w, normal := w.Normalise(time.LoadLocation)
	if normal != nil {
		return row, nil, asError(normal)
	}
	row.Wedding = w
	row.Contact, err = rec.contact()
	return row, notes, err
}

// times reads the start, then the end, on the venue's clock.
func (rec record) times(w *models.Wedding) ([]string, *models.Error) {
	if err := models.CheckZone(fieldZone, w.TimeZone, time.LoadLocation); err != nil {
		return nil, asError(err)
	}
	loc, err := time.LoadLocation(w.TimeZone)
	if err != nil {
		return nil, models.Invalid(fieldZone, w.TimeZone, "cannot be loaded")
	}
	const form = "must be a time of the venue as in 2027-06-12T14:00, or with an offset as in 2027-06-12T14:00:00+01:00"
	start, ok := parseMoment(rec.fields[fieldStart], loc)
	if !ok {
		return nil, models.Invalid(fieldStart, rec.fields[fieldStart], form)
	}
	end, ok := endOf(rec.fields[fieldEnd], start.at, loc)
	if !ok {
		return nil, models.Invalid(fieldEnd, rec.fields[fieldEnd], form+", or a time of day as in 23:30")
	}
	w.StartsAt, w.EndsAt = start.at, end.at
	return slices.DeleteFunc([]string{start.note, end.note}, func(s string) bool { return s == "" }), nil
}

func (rec record) numbers(w *models.Wedding) *models.Error {
	var err error
	if w.Guests, err = strconv.Atoi(rec.fields[fieldGuests]); err != nil {
		return models.Invalid(fieldGuests, rec.fields[fieldGuests], "must be a whole number from 1 to 100000")
	}
	if v := rec.fields[fieldVersion]; v != "" {
		if w.SourceVersion, err = strconv.ParseInt(v, 10, 53); err != nil || w.SourceVersion < 0 {
			return models.Invalid(fieldVersion, v, "must be a whole number of at least 0")
		}
	}
	return nil
}

func (rec record) contact() (*models.WeddingContact, *models.Error) {
	c := models.WeddingContact{Name: rec.fields[fieldName], Email: rec.fields[fieldEmail], Phone: rec.fields[fieldPhone]}
	if c.IsEmpty() {
		return nil, nil //nolint:nilnil // nobody is named, and that is fine
	}
	if err := c.Check(); err != nil {
		return nil, asError(err)
	}
	return &c, nil
}

// twice turns all but the first row of a reference into faults.
func (r *Reading) twice() {
	seen := map[string]int{}
	kept := r.Rows[:0]
	for _, row := range r.Rows {
		ref := row.Wedding.Reference
		if first, known := seen[ref]; known {
			r.faulty(row.Line, ref, models.Invalid(fieldReference, ref, "must stand once; it is on line "+strconv.Itoa(first)+" already"))
			continue
		}
		seen[ref] = row.Line
		kept = append(kept, row)
	}
	r.Rows = kept
}

// unknownField is the fault of a field that no wedding has.
func unknownField(name string) *models.Error {
	return models.Invalid(bounded(name), "", "is not known: must be one of "+strings.Join(slices.Sorted(maps.Keys(nameSet())), ", "))
}

func nameSet() map[string]bool {
	set := map[string]bool{}
	for _, n := range fieldNames() {
		set[n] = true
	}
	return set
}
