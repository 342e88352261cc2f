package verify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSchedulers replays every case of the diffusion schedulers.
func TestSchedulers(t *testing.T) {
	s, err := openSuite(golden(t), Options{})
	require.NoError(t, err)
	defer s.close()
	n := 0
	for i := range s.manifest.Entries {
		e := &s.manifest.Entries[i]
		if e.Model != "scheduler" {
			continue
		}
		n++
		p, err := openSched(s, e)
		require.NoError(t, err)
		r := s.replay(t.Context(), p, &testCase{e, s})
		require.True(t, r.Pass, "%s: relerr %.3g, tolerance %.3g: %s", r.ID, r.RelErr, r.Tol, r.Note)
	}
	require.GreaterOrEqual(t, n, 35)
}
