package models

import (
	"fmt"
	"time"
)

// ReservationKind says what a reservation does to the decision.
type ReservationKind string

// The kinds of reservation.
const (
	ReservationFloor  ReservationKind = "floor"  // at least Replicas
	ReservationCap    ReservationKind = "cap"    // at most Replicas
	ReservationFreeze ReservationKind = "freeze" // no change at all but for hard caps
	ReservationNoIn   ReservationKind = "no_in"  // no scale-in
	// ReservationEmergency declares an emergency: capacity is ordered at once and verified
	// afterwards, none is removed, and money is no object.
	ReservationEmergency ReservationKind = "emergency"
)

// Reservation is a claim on capacity with a holder, a reason and an end: the only way
// by which anybody but a service's own autoscaler asks for replicas. Row of table
// reservations.
type Reservation struct {
	ID        string          `json:"id" gorm:"primaryKey"`
	Service   ServiceName     `json:"service"`
	Kind      ReservationKind `json:"kind"`
	Replicas  int             `json:"replicas"` // 0 for freeze, no_in and emergency
	Guests    int             `json:"guests"`   // guests it was made for; overlapping ones add up
	From      time.Time       `json:"from" gorm:"column:starts_at"`
	Until     time.Time       `json:"until" gorm:"column:ends_at"`
	Holder    string          `json:"holder"` // user:…, svc:…, wedding-day/<date>, season/<id>
	Reason    string          `json:"reason"`
	WeddingID string          `json:"weddingId,omitempty"`
	CreatedAt time.Time       `json:"createdAt"`
	CreatedBy string          `json:"createdBy"`
	EndedAt   *time.Time      `json:"endedAt,omitempty"` // released early
	EndedBy   string          `json:"endedBy,omitempty"`
}

// TableName is the SQL table.
func (Reservation) TableName() string { return "reservations" }

// ActiveAt says whether the reservation counts at a time: [From, Until), not released.
func (r Reservation) ActiveAt(now time.Time) bool {
	return !now.Before(r.From) && now.Before(r.Until) && (r.EndedAt == nil || now.Before(*r.EndedAt))
}

// MaxReservationDays bounds how long one reservation may last.
const MaxReservationDays = 366

// Validate checks the bounds of a reservation.
func (r Reservation) Validate() error {
	if _, err := ParseServiceName("service", string(r.Service)); err != nil {
		return err
	}
	switch r.Kind {
	case ReservationFloor, ReservationCap:
		if r.Replicas < 1 || r.Replicas > 100000 {
			return Invalid("replicas", r.Replicas, "must be from 1 to 100000")
		}
	case ReservationFreeze, ReservationNoIn, ReservationEmergency:
		if r.Replicas != 0 {
			return Invalid("replicas", r.Replicas, "must be absent or 0 for kind "+string(r.Kind))
		}
	default:
		return Invalid("kind", r.Kind, "must be one of floor, cap, freeze, no_in, emergency")
	}
	if r.From.IsZero() {
		return Invalid("from", "", "is required")
	}
	if !r.Until.After(r.From) {
		return Invalid("until", r.Until.Format(time.RFC3339), "must be after from")
	}
	if r.Until.Sub(r.From) > MaxReservationDays*24*time.Hour {
		return Invalid("until", r.Until.Format(time.RFC3339), fmt.Sprintf("must be at most %d days after from", MaxReservationDays))
	}
	if err := text("reason", r.Reason, 3, 500); err != nil {
		return err
	}
	if r.Guests < 0 || r.Guests > 1_000_000 {
		return Invalid("guests", r.Guests, "must be from 0 to 1000000")
	}
	return nil
}
