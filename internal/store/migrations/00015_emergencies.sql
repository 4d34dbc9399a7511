-- An emergency is declared like every claim on capacity: by a row with a holder and an end.

-- +goose Up
ALTER TABLE reservations DROP CONSTRAINT reservations_kind_check;
ALTER TABLE reservations ADD CONSTRAINT reservations_kind_check CHECK (kind IN ('floor', 'cap', 'freeze', 'no_in', 'emergency'));
