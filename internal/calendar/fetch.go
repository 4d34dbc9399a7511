package calendar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/wedsync/scalability/models"
)

// FetchOptions bound what a feed may cost and where it may be.
type FetchOptions struct {
	Timeout       time.Duration // of one fetch; 0: 30 s
	AllowLoopback bool          // feeds on this machine: development
	AllowPrivate  bool          // feeds in private networks, loopback too
}

// Fetcher reads feeds over HTTP. Addresses are judged when a connection is made, after
// names were resolved and redirects followed, so that no name can lead to a place that is
// not open to feeds.
type Fetcher struct{ client *http.Client }

const maxRedirects = 3

// NewFetcher makes one.
func NewFetcher(o FetchOptions) *Fetcher {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error { return o.judge(address) }}
	return &Fetcher{client: &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would connect where we do not look
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return errors.New("more than three redirects")
			case req.URL.Scheme != "https" && via[0].URL.Scheme == "https":
				return errors.New("a redirect from https to http")
			default:
				return nil
			}
		},
	}}
}

var errPlace = errors.New("the address is not open to feeds: private, link-local and other special networks are refused")

// judge lets connections pass to public addresses, and to what the options open.
func (o FetchOptions) judge(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return errPlace
	}
	a := ap.Addr().Unmap()
	switch {
	case a.IsLoopback():
		return placeOpen(o.AllowLoopback || o.AllowPrivate)
	case a.IsPrivate():
		return placeOpen(o.AllowPrivate)
	default:
		return placeOpen(a.IsGlobalUnicast() && !special(a))
	}
}

func placeOpen(open bool) error {
	if open {
		return nil
	}
	return errPlace
}

// special says whether an address is in a network that is global by form alone: shared
// address space, benchmarking, documentation, translation to IPv4 and 6to4, which can
// name a private address again.
func special(a netip.Addr) bool {
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	} {
		if netip.MustParsePrefix(p).Contains(a) {
			return true
		}
	}
	return false
}

// Fetched is what a feed answered.
type Fetched struct {
	Data         []byte
	Unmodified   bool
	ETag         string
	LastModified string
}

// Fetch reads a feed, unless it is what it was. Errors do not hold the address.
func (f *Fetcher) Fetch(ctx context.Context, feed models.CalendarFeed) (Fetched, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, feed.URL, nil)
	if err != nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return Fetched{}, models.Invalid("url", "", "must be an http or https address")
	}
	req.Header.Set("User-Agent", "wedsync-calendar/1")
	req.Header.Set("Accept", "text/calendar, text/csv, application/x-ndjson, */*;q=0.1")
	if feed.ETag != "" {
		req.Header.Set("If-None-Match", feed.ETag)
	}
	if feed.LastModified != "" {
		req.Header.Set("If-Modified-Since", feed.LastModified)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return Fetched{}, models.Unavailable("calendar.Fetch", withoutAddress(err))
	}
	defer func() { _ = res.Body.Close() }() // it was read to the end, or is given up
	switch {
	case res.StatusCode == http.StatusNotModified:
		return Fetched{Unmodified: true, ETag: feed.ETag, LastModified: feed.LastModified}, nil
	case res.StatusCode != http.StatusOK:
		return Fetched{}, models.Unavailable("calendar.Fetch", fmt.Errorf("the feed answered %d", res.StatusCode))
	}
	return readFeed(res)
}

// readFeed reads a body to its end, bounded after decompression.
func readFeed(res *http.Response) (Fetched, error) {
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxBytes+1))
	if err != nil {
		return Fetched{}, models.Unavailable("calendar.Fetch", fmt.Errorf("the feed broke off: %w", withoutAddress(err)))
	}
	if len(data) > MaxBytes {
		return Fetched{}, &models.Error{Kind: models.KindTooLarge, Field: "feed", Rule: fmt.Sprintf("must be at most %d bytes", MaxBytes)}
	}
	return Fetched{Data: data, ETag: header(res, "ETag"), LastModified: header(res, "Last-Modified")}, nil
}

func header(res *http.Response, name string) string {
	if v := res.Header.Get(name); len(v) <= 200 {
		return v
	}
	return ""
}

// withoutAddress takes the address away, which may hold a secret.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
