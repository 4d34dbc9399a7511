package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// defaultKeyDays is the life of a service key that says nothing of it.
const defaultKeyDays = 90

// revocationLife is how long a revocation counts that names no end: longer than any token.
const revocationLife = 10 * 365 * 24 * time.Hour

// GetServiceAccounts lists the programs that may call, and their keys without secrets.
func (s *server) GetServiceAccounts(c *gin.Context) {
	all, err := s.Accounts.ServiceAccounts(c.Request.Context())
	s.reply(c, http.StatusOK, gin.H{"items": all}, err)
}

// CreateServiceAccount adds a program.
func (s *server) CreateServiceAccount(c *gin.Context) {
	in, err := decode[models.ServiceAccount](c)
	k := callOf(c)
	if !s.byPerson(c, "make the service account "+in.Name) {
		return
	}
	a := models.ServiceAccount{Name: in.Name, Description: in.Description, CreatedBy: k.identity.Subject, CreatedAt: k.at, Keys: []models.ServiceKey{}}
	if err == nil {
		err = s.Accounts.CreateServiceAccount(c.Request.Context(), a)
	}
	s.reply(c, http.StatusCreated, a, err)
}

// CreateServiceKey makes a key and shows it, this once.
func (s *server) CreateServiceKey(c *gin.Context, name string) {
	in, err := decode[struct {
		ValidDays int `json:"validDays"`
	}](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	if !s.byPerson(c, "make a key of "+name) {
		return
	}
	if in.ValidDays == 0 {
		in.ValidDays = defaultKeyDays
	}
	key, id, hash, err := s.NewKey()
	if err != nil {
		s.fail(c, err)
		return
	}
	call := callOf(c)
	k := models.ServiceKey{
		ID: id, Account: name, Hash: hash, CreatedBy: call.identity.Subject, CreatedAt: call.at,
		ExpiresAt: call.at.AddDate(0, 0, in.ValidDays),
	}
	if err := s.Accounts.AddServiceKey(c.Request.Context(), k); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, gin.H{"id": id, "account": name, "key": key, "expiresAt": k.ExpiresAt})
}

// RevokeServiceKey ends a key.
func (s *server) RevokeServiceKey(c *gin.Context, name, key string) {
	call := callOf(c)
	k, err := s.Accounts.RevokeServiceKey(c.Request.Context(), name, key, call.identity.Subject, call.at)
	s.reply(c, http.StatusOK, k, err)
}

// GetRevocations lists what was revoked and still counts.
func (s *server) GetRevocations(c *gin.Context) {
	all, err := s.Accounts.Revocations(c.Request.Context(), callOf(c).at)
	s.reply(c, http.StatusOK, gin.H{"items": all}, err)
}

// CreateRevocation ends a token, or all that a subject was given until now.
func (s *server) CreateRevocation(c *gin.Context) {
	in, err := decode[gen.RevocationInput](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	call := callOf(c)
	r := models.Revocation{ID: newID(), Reason: in.Reason, CreatedBy: call.identity.Subject, CreatedAt: call.at, Until: call.at.Add(revocationLife)}
	if in.TokenId != nil {
		r.TokenID = *in.TokenId
	}
	if in.Subject != nil {
		r.Subject = *in.Subject
	}
	s.reply(c, http.StatusCreated, r, s.Accounts.Revoke(c.Request.Context(), r))
}
