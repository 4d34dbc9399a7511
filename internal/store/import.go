package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// importBatch keeps a multi-row INSERT of weddings well under the parameters of the
// protocol.
const importBatch = 500

// Vanishing in number is more likely a fault of the source than the will of the couples.
const (
	vanishFree  = 5   // always believed
	vanishShare = 0.5 // of the weddings to come
)

// ImportWeddings brings the calendar to what a source says, all of it or nothing. The same
// source and reference are the same wedding, so a repetition changes nothing.
func (s *Store) ImportWeddings(ctx context.Context, p models.ImportPlan) (models.ImportReport, error) {
	const op = "store.ImportWeddings"
	var report models.ImportReport
	for _, row := range p.Rows {
		if err := checkText(row.Wedding); err != nil {
			return report, classify(op, err)
		}
	}
	err := s.changed(ctx, op, func(tx *gorm.DB) (changed, error) {
		// Two imports of a source wait for each other.
		if _, err := exec(tx, "SELECT pg_advisory_xact_lock(hashtextextended('wedsync import ' || $1, 0))", p.Source); err != nil {
			return changed{}, err
		}
		known, err := knownWeddings(tx, p)
		if err != nil {
			return changed{}, err
		}
		d := compare(p, known)
		report = d.report
		if err := d.believable(); err != nil {
			return changed{}, err
		}
		if p.DryRun {
			return changed{}, s.sealable(d.contacts)
		}
		if len(d.write)+len(d.contacts) == 0 {
			return changed{}, nil
		}
		var ids []string
		for _, w := range d.write {
			ids = append(ids, w.ID)
		}
		c := named("weddings", ids)
		c["created"], c["changed"], c["cancelled"] = strconv.Itoa(report.Created), strconv.Itoa(report.Changed), strconv.Itoa(report.Cancelled)
		return changed{object: "weddings of " + p.Source, context: c}, s.apply(tx, p, d)
	})
	if err != nil {
		return models.ImportReport{}, err
	}
	return report, nil
}

// knownWeddings reads what is stored of a source: all that a whole reading could cancel,
// else all that the rows name.
func knownWeddings(tx *gorm.DB, p models.ImportPlan) (map[string]models.Wedding, error) {
	known := map[string]models.Wedding{}
	read := func(q *gorm.DB) error {
		var found []models.Wedding
		if err := q.Where("source = ?", p.Source).Find(&found).Error; err != nil {
			return err
		}
		for _, w := range found {
			known[w.Reference] = w
		}
		return nil
	}
	if p.Whole {
		return known, read(tx)
	}
	for begin := 0; begin < len(p.Rows); begin += batchRows {
		var references []string
		for _, row := range p.Rows[begin:min(begin+batchRows, len(p.Rows))] {
			references = append(references, row.Wedding.Reference)
		}
		if err := read(tx.Where("reference IN ?", references)); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// difference is what has to be written.
type difference struct {
	report   models.ImportReport
	write    []models.Wedding
	contacts []contactOf
	coming   int // known weddings that are not over and not cancelled
	vanished int
}

type contactOf struct {
	weddingID string
	contact   models.WeddingContact
}

// compare finds out what is new, other, as it was, older than what is known, and gone.
func compare(p models.ImportPlan, known map[string]models.Wedding) difference {
	var d difference
	seen := map[string]bool{}
	for _, row := range p.Rows {
		seen[row.Wedding.Reference] = true
		d.row(p, row, known[row.Wedding.Reference])
	}
	for _, w := range known {
		if w.Status == models.WeddingCancelled || !w.EndsAt.After(p.Now) {
			continue
		}
		d.coming++
		if p.Whole && !seen[w.Reference] {
			gone := w
			gone.Status, gone.UpdatedAt = models.WeddingCancelled, p.Now
			d.vanished++
			d.put(w, gone)
		}
	}
	return d
}

// row judges one row against the wedding that is known under its reference; the zero
// Wedding where none is.
func (d *difference) row(p models.ImportPlan, row models.ImportRow, old models.Wedding) {
	next := row.Wedding
	next.Source = p.Source
	next.ID, next.Revision, next.CreatedAt, next.UpdatedAt = old.ID, old.Revision, old.CreatedAt, old.UpdatedAt
	switch {
	case old.ID == "":
		next.ID, next.Revision, next.CreatedAt, next.UpdatedAt = newID(), 1, p.Now, p.Now
		d.put(old, next)
	case next.SourceVersion < old.SourceVersion && !row.Keep.Version:
		d.report.Stale++
		return
	default:
		next = kept(next, old, row.Keep)
		if next == old {
			d.report.Unchanged++
			break
		}
		next.UpdatedAt = p.Now
		d.put(old, next)
	}
	if row.Contact != nil {
		d.contacts = append(d.contacts, contactOf{next.ID, *row.Contact})
	}
}

// kept takes from the stored wedding what the row left out.
func kept(next, old models.Wedding, keep models.ImportKeep) models.Wedding {
	if keep.Type {
		next.Type = old.Type
	}
	if keep.Tier {
		next.Tier = old.Tier
	}
	if keep.Region {
		next.Region = old.Region
	}
	if keep.Coordinator {
		next.Coordinator = old.Coordinator
	}
	if keep.UID {
		next.ExternalUID = old.ExternalUID
	}
	if keep.Version {
		next.SourceVersion = old.SourceVersion
	}
	return next
}

func newID() string {
	if id, err := uuid.NewV7(); err == nil {
		return id.String()
	}
	return uuid.NewString()
}

func (d *difference) put(old, next models.Wedding) {
	change := models.ChangeOf(old, next)
	switch change.Kind {
	case models.WeddingWasCreated:
		d.report.Created++
	case models.WeddingWasCancelled:
		d.report.Cancelled++
	case models.WeddingWasChanged:
		d.report.Changed++
	}
	d.report.Changes = append(d.report.Changes, change)
	d.write = append(d.write, next)
}

// believable refuses a reading after which most of the weddings to come would be gone.
func (d *difference) believable() error {
	if d.vanished <= vanishFree || float64(d.vanished) <= vanishShare*float64(d.coming) {
		return nil
	}
	return &models.Error{Kind: models.KindConflict, Field: "weddings",
		Rule: fmt.Sprintf("%d of %d weddings to come are missing; more than half at once are not cancelled by their absence: cancel them by name, or import a file that says so", d.vanished, d.coming)}
}

// sealable refuses contacts that could not be kept.
func (s *Store) sealable(contacts []contactOf) error {
	if len(contacts) == 0 {
		return nil
	}
	_, err := s.seal(contacts[0].weddingID, contacts[0].contact, "")
	return err
}

// apply writes weddings, then their contacts. A wedding that somebody else made since it
// was looked for is overwritten all the same: the source says how it is.
func (s *Store) apply(tx *gorm.DB, p models.ImportPlan, d difference) error {
	columns := []string{
		"external_uid", "source_version", "time_zone", "starts_at", "ends_at", "wedding_date", "guests", "type", "tier",
		"region", "status", "coordinator", "updated_at",
	}
	set := append(clause.AssignmentColumns(columns), clause.Assignments(map[string]any{"revision": gorm.Expr("weddings.revision + 1")})...)
	if len(d.write) > 0 {
		err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "source"}, {Name: "reference"}}, DoUpdates: set}).
			CreateInBatches(d.write, importBatch).Error
		if err != nil {
			return err
		}
	}
	rows := make([]contactRow, 0, len(d.contacts))
	for _, c := range d.contacts {
		row, err := s.seal(c.weddingID, c.contact, p.Actor)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return putContacts(tx, rows)
}
