package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// stateVersion is the form of the state file.
const stateVersion = 1

// state is what outlives the process: specs, replicas, faults, used keys and counters.
// Queues and measured seconds are gone with the process that held them.
type state struct {
	Version  int            `json:"version"`
	SavedAt  time.Time      `json:"savedAt"`
	Settings Settings       `json:"settings"`
	Random   []byte         `json:"random"`
	Services []serviceState `json:"services"`
}

type serviceState struct {
	Settings   ServiceSettings `json:"settings"`
	Spec       int             `json:"spec"`
	Generation int64           `json:"generation"`
	NextID     int64           `json:"nextId"`
	Replicas   []replica       `json:"replicas"`
	Faults     []Fault         `json:"faults"`
	Keys       []usedKey       `json:"keys"`
	Orders     OrderCount      `json:"orders"`
	DeployedAt *time.Time      `json:"deployedAt,omitempty"`
}

// snapshot copies what has to outlive the process.
func (p *Plant) snapshot() (state, error) {
	random, err := p.pcg.MarshalBinary()
	if err != nil {
		return state{}, fmt.Errorf("fleet.snapshot: %w", err)
	}
	st := state{Version: stateVersion, SavedAt: p.now, Settings: p.settings, Random: random}
	for _, svc := range p.services {
		s := serviceState{
			Settings: svc.set, Spec: svc.spec, Generation: svc.generation, NextID: svc.nextID,
			Faults: append([]Fault{}, svc.faults...), Keys: append([]usedKey{}, svc.keys...), Orders: svc.orders,
			DeployedAt: svc.deployedAt,
		}
		for _, r := range svc.replicas {
			s.Replicas = append(s.Replicas, *r)
		}
		st.Services = append(st.Services, s)
	}
	return st, nil
}

// restore builds the plant of a snapshot at a later time.
func restore(st state, now time.Time) (*Plant, error) {
	if st.Version != stateVersion {
		return nil, fmt.Errorf("version is %d, this program reads %d", st.Version, stateVersion)
	}
	if err := st.Settings.Validate(); err != nil {
		return nil, err
	}
	pcg := &rand.PCG{}
	if err := pcg.UnmarshalBinary(st.Random); err != nil {
		return nil, fmt.Errorf("random: %w", err)
	}
	p := &Plant{settings: st.Settings, now: now.Truncate(st.Settings.tick()), pcg: pcg, rng: rand.New(pcg)} //nolint:gosec // a model needs a repeatable draw, not a secret one
	for i, s := range st.Services {
		if err := s.Settings.Validate(); err != nil {
			return nil, fmt.Errorf("services[%d]: %w", i, err)
		}
		if s.Spec != len(s.Replicas) {
			return nil, fmt.Errorf("services[%d]: %d replicas for a spec of %d", i, len(s.Replicas), s.Spec)
		}
		svc := &service{
			set: s.Settings, spec: s.Spec, generation: s.Generation, nextID: s.NextID,
			faults: s.Faults, keys: s.Keys, orders: s.Orders, deployedAt: s.DeployedAt,
		}
		for _, r := range s.Replicas {
			svc.replicas = append(svc.replicas, &r)
		}
		p.services = append(p.services, svc)
	}
	return p, nil
}

// loadPlant reads the plant of a state file, or begins a new one where there is none.
func loadPlant(path string, s Settings, now time.Time) (*Plant, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the path is the operator's own
	if errors.Is(err, fs.ErrNotExist) {
		return NewPlant(s, now)
	}
	if err != nil {
		return nil, fmt.Errorf("fleet: read state: %w", err)
	}
	var st state
	if err := json.Unmarshal(data, &st); err != nil {
		return nil, fmt.Errorf("fleet: state file %s: %w", path, err)
	}
	p, err := restore(st, now)
	if err != nil {
		return nil, fmt.Errorf("fleet: state file %s: %w", path, err)
	}
	return p, nil
}

// saveState writes a snapshot so that the file is always a whole one: to a file beside
// it, synced, and renamed over it.
func saveState(path string, st state) error {
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("fleet: save state: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("fleet: save state: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("fleet: save state: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
