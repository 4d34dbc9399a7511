package sealed

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABoxOpensWhatItSealedForThatRowAlone(t *testing.T) {
	older, newer := key(t, "k1"), key(t, "k2")
	first, err := NewBox([]Key{older})
	require.NoError(t, err)
	id, sealed, err := first.Seal([]byte("anna@example.org"), []byte("w1"))
	require.NoError(t, err)
	assert.Equal(t, "k1", id)
	assert.NotContains(t, string(sealed), "anna")

	rotated, err := NewBox([]Key{newer, older})
	require.NoError(t, err)
	plain, err := rotated.Open(id, sealed, []byte("w1"))
	require.NoError(t, err)
	assert.Equal(t, "anna@example.org", string(plain))
	id, _, err = rotated.Seal(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "k2", id, "the first key seals")

	for name, try := range map[string]func() ([]byte, error){
		"moved to another row": func() ([]byte, error) { return first.Open("k1", sealed, []byte("w2")) },
		"another key's name":   func() ([]byte, error) { return rotated.Open("k2", sealed, []byte("w1")) },
		"a key nobody has":     func() ([]byte, error) { return first.Open("k9", sealed, []byte("w1")) },
		"cut short":            func() ([]byte, error) { return first.Open("k1", sealed[:5], []byte("w1")) },
	} {
		_, err := try()
		assert.Error(t, err, name)
	}
}
