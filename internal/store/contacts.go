package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// contactRow is a sealed contact. Row of table wedding_contacts.
type contactRow struct {
	WeddingID string `json:"weddingId" gorm:"primaryKey"`
	KeyID     string `json:"keyId"`
	Sealed    []byte `json:"-"`
	UpdatedAt time.Time
	UpdatedBy string `json:"updatedBy"`
}

// TableName is the SQL table.
func (contactRow) TableName() string { return "wedding_contacts" }

// seal refuses a contact where there is no key: it is never kept in the clear.
func (s *Store) seal(weddingID string, c models.WeddingContact, actor string) (contactRow, error) {
	if s.contacts == nil {
		return contactRow{}, &models.Error{Kind: models.KindConflict, Field: "contact",
			Rule: "cannot be kept: WEDDING_CONTACT_KEYS is not set, and contacts are never kept unencrypted"}
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return contactRow{}, err
	}
	row := contactRow{WeddingID: weddingID, UpdatedAt: now(), UpdatedBy: actor}
	row.KeyID, row.Sealed, err = s.contacts.Seal(plain, []byte(weddingID))
	return row, err
}

// WeddingContact opens the contact of a wedding.
func (s *Store) WeddingContact(ctx context.Context, weddingID string) (models.WeddingContact, error) {
	const op = "store.WeddingContact"
	var row contactRow
	err := s.read(ctx, op, func(tx *gorm.DB) error { return take(tx, &row, "wedding_id", weddingID) })
	if err != nil {
		return models.WeddingContact{}, err
	}
	if s.contacts == nil {
		return models.WeddingContact{}, &models.Error{Kind: models.KindConflict, Op: op, Field: "contact", Rule: "cannot be read: WEDDING_CONTACT_KEYS is not set"}
	}
	var c models.WeddingContact
	plain, err := s.contacts.Open(row.KeyID, row.Sealed, []byte(weddingID))
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	if err != nil {
		return models.WeddingContact{}, classify(op, err)
	}
	return c, nil
}

// SaveWeddingContact keeps a contact, sealed, in place of an earlier one.
func (s *Store) SaveWeddingContact(ctx context.Context, weddingID string, c models.WeddingContact, actor string) error {
	const op = "store.SaveWeddingContact"
	if err := c.Check(); err != nil {
		return classify(op, err)
	}
	row, err := s.seal(weddingID, c, actor)
	if err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "wedding/"+weddingID+"/contact", func(tx *gorm.DB) error { return putContacts(tx, []contactRow{row}) })
}

func putContacts(tx *gorm.DB, rows []contactRow) error {
	if len(rows) == 0 {
		return nil
	}
	return tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "wedding_id"}}, DoUpdates: clause.AssignmentColumns([]string{"key_id", "sealed", "updated_at", "updated_by"}),
	}).CreateInBatches(rows, batchRows).Error
}

// ForgetWeddingContact removes a contact for good.
func (s *Store) ForgetWeddingContact(ctx context.Context, weddingID string) error {
	return s.change(ctx, "store.ForgetWeddingContact", "wedding/"+weddingID+"/contact", func(tx *gorm.DB) error {
		res := tx.Where("wedding_id = ?", weddingID).Delete(&contactRow{})
		if res.Error == nil && res.RowsAffected == 0 {
			return models.NotFound("id", weddingID)
		}
		return res.Error
	})
}

// ContactKeys counts the contacts under each key.
func (s *Store) ContactKeys(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		KeyID string
		N     int
	}
	err := s.read(ctx, "store.ContactKeys", func(tx *gorm.DB) error {
		return tx.Raw("SELECT key_id, count(*) AS n FROM wedding_contacts GROUP BY key_id").Scan(&rows).Error
	})
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.KeyID] = r.N
	}
	return counts, err
}

// Resealed is what one step of ReencryptContacts did.
type Resealed struct {
	Done     int
	Unopened []string // weddings whose contact no known key opens; they are left as they are
	Last     string   // wedding of the last contact that was looked at; "": none was left
}

// ReencryptContacts seals up to limit contacts that are not under the current key anew, those of
// weddings after a given one. Each step is a transaction of its own: whoever is stopped begins
// again with what is left. Who edited a contact last, and when, stays.
func (s *Store) ReencryptContacts(ctx context.Context, after string, limit int) (r Resealed, err error) {
	const op = "store.ReencryptContacts"
	if s.contacts == nil {
		return r, &models.Error{Kind: models.KindConflict, Op: op, Field: "contact", Rule: "cannot be read: WEDDING_CONTACT_KEYS is not set"}
	}
	current := s.contacts.Current()
	err = s.changed(ctx, op, func(tx *gorm.DB) (changed, error) {
		var rows []contactRow
		err := tx.Raw("SELECT wedding_id, key_id, sealed FROM wedding_contacts WHERE key_id <> ? AND wedding_id > ? ORDER BY wedding_id LIMIT ? FOR UPDATE", current, after, limit).Scan(&rows).Error
		if err != nil {
			return changed{}, err
		}
		var ids []string
		var anew [][]byte
		for _, row := range rows {
			r.Last = row.WeddingID
			plain, err := s.contacts.Open(row.KeyID, row.Sealed, []byte(row.WeddingID))
			if err != nil {
				r.Unopened = append(r.Unopened, row.WeddingID)
				continue
			}
			_, box, err := s.contacts.Seal(plain, []byte(row.WeddingID))
			if err != nil {
				return changed{}, err
			}
			ids, anew = append(ids, row.WeddingID), append(anew, box)
		}
		if r.Done = len(ids); r.Done == 0 {
			return changed{}, nil
		}
		_, err = exec(tx, "UPDATE wedding_contacts c SET key_id = $1, sealed = n.sealed FROM unnest($2::text[], $3::bytea[]) AS n (id, sealed) WHERE c.wedding_id = n.id", current, ids, anew)
		c := named("weddings", ids)
		c["key"] = current
		return changed{object: "contacts", context: c}, err
	})
	return r, err
}

// RenameWeddings gives each wedding that rename changes its new name, and forgets all
// contacts, in one transaction: what was copied from production loses what names people.
func (s *Store) RenameWeddings(ctx context.Context, rename func(models.Wedding) models.Wedding) (renamed, forgotten int, err error) {
	err = s.changed(ctx, "store.RenameWeddings", func(tx *gorm.DB) (changed, error) {
		var all []models.Wedding
		if err := tx.Find(&all).Error; err != nil {
			return changed{}, err
		}
		for _, w := range all {
			next := rename(w)
			if next == w {
				continue
			}
			renamed++
			if err := tx.Model(&models.Wedding{}).Where("id = ?", w.ID).
				Updates(map[string]any{"reference": next.Reference, "external_uid": next.ExternalUID, "revision": gorm.Expr("revision + 1")}).Error; err != nil {
				return changed{}, err
			}
		}
		res := tx.Where("true").Delete(&contactRow{})
		forgotten = int(res.RowsAffected)
		return changed{object: "weddings", context: map[string]string{"renamed": strconv.Itoa(renamed), "forgotten": strconv.Itoa(forgotten)}}, res.Error
	})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = nil
	}
	return renamed, forgotten, err
}
