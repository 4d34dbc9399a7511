package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// CalendarFeeds lists the feeds by source.
func (s *Store) CalendarFeeds(ctx context.Context) ([]models.CalendarFeed, error) {
	found := []models.CalendarFeed{}
	err := s.read(ctx, "store.CalendarFeeds", func(tx *gorm.DB) error { return tx.Order("source").Find(&found).Error })
	if err != nil {
		return nil, err
	}
	return found, nil
}

// CreateCalendarFeed keeps a new feed.
func (s *Store) CreateCalendarFeed(ctx context.Context, f models.CalendarFeed) (models.CalendarFeed, error) {
	const op = "store.CreateCalendarFeed"
	if err := checkText(f); err != nil {
		return models.CalendarFeed{}, classify(op, err)
	}
	if f.ID == "" {
		f.ID = newID()
	}
	err := s.change(ctx, op, "feed/"+f.ID, func(tx *gorm.DB) error { return tx.Clauses(clause.Returning{}).Create(&f).Error })
	if err != nil {
		return models.CalendarFeed{}, err
	}
	return f, nil
}

// UpdateCalendarFeed changes a feed and gives the stored one. Its source stays, since its
// weddings are kept under it. Another address or format is read whole at the next look.
func (s *Store) UpdateCalendarFeed(ctx context.Context, f models.CalendarFeed) (models.CalendarFeed, error) {
	const op = "store.UpdateCalendarFeed"
	if err := checkText(f); err != nil {
		return models.CalendarFeed{}, classify(op, err)
	}
	var stored models.CalendarFeed
	err := s.change(ctx, op, "feed/"+f.ID, func(tx *gorm.DB) error {
		if err := take(tx.Clauses(clause.Locking{Strength: "UPDATE"}), &stored, "id", f.ID); err != nil {
			return err
		}
		if f.Source != stored.Source {
			return models.Invalid("source", f.Source, "must stay "+stored.Source+", under which its weddings are kept: add another feed instead")
		}
		if f.URL != stored.URL || f.Format != stored.Format {
			stored.ETag, stored.LastModified, stored.LastAttemptAt, stored.LastError = "", "", nil, ""
		}
		stored.URL, stored.Format, stored.Region, stored.TimeZone = f.URL, f.Format, f.Region, f.TimeZone
		stored.EverySeconds, stored.Enabled, stored.UpdatedAt = f.EverySeconds, f.Enabled, f.UpdatedAt
		return tx.Select("*").Omit("created_at", "created_by").Updates(&stored).Error
	})
	if err != nil {
		return models.CalendarFeed{}, err
	}
	return stored, nil
}

// DeleteCalendarFeed forgets a feed. The weddings that came by it stay.
func (s *Store) DeleteCalendarFeed(ctx context.Context, id string) error {
	return s.change(ctx, "store.DeleteCalendarFeed", "feed/"+id, func(tx *gorm.DB) error {
		res := tx.Where("id = ?", id).Delete(&models.CalendarFeed{})
		if res.Error == nil && res.RowsAffected == 0 {
			return models.NotFound("id", id)
		}
		return res.Error
	})
}

// SaveFeedReading keeps how the last attempt went. A feed that was removed meanwhile stays
// removed.
func (s *Store) SaveFeedReading(ctx context.Context, f models.CalendarFeed) error {
	return s.write(ctx, "store.SaveFeedReading", func(tx *gorm.DB) error {
		return tx.Model(&models.CalendarFeed{}).Where("id = ?", f.ID).
			Select("etag", "last_modified", "last_attempt_at", "last_read_at", "last_error", "weddings").Updates(f).Error
	})
}

// CalendarReadAt is how old the calendar is: when the enabled feed that was read whole
// longest ago was; a feed that never was counts from its creation. Where there is no feed
// the calendar is kept by people, and is as of now.
func (s *Store) CalendarReadAt(ctx context.Context) (time.Time, error) {
	var at *time.Time
	err := s.read(ctx, "store.CalendarReadAt", func(tx *gorm.DB) error {
		return tx.Raw("SELECT min(coalesce(last_read_at, created_at)) FROM calendar_feeds WHERE enabled").Row().Scan(&at)
	})
	switch {
	case err != nil:
		return time.Time{}, err
	case at == nil:
		return now(), nil
	default:
		return at.UTC(), nil
	}
}

// CountWeddings counts the weddings that are not over, by status.
func (s *Store) CountWeddings(ctx context.Context, at time.Time) (map[models.WeddingStatus]int, error) {
	counts := []struct {
		Status models.WeddingStatus
		N      int
	}{}
	err := s.read(ctx, "store.CountWeddings", func(tx *gorm.DB) error {
		return tx.Raw("SELECT status, count(*) AS n FROM weddings WHERE ends_at > ? GROUP BY status", at).Scan(&counts).Error
	})
	if err != nil {
		return nil, err
	}
	out := map[models.WeddingStatus]int{models.WeddingConfirmed: 0, models.WeddingTentative: 0, models.WeddingCancelled: 0}
	for _, c := range counts {
		out[c.Status] = c.N
	}
	return out, nil
}
