package graph

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCacheDropsTheLeastRecentlyUsed(t *testing.T) {
	c := NewCache[string](2)
	devices := map[string]*paper{}
	built := 0
	get := func(key string) *Program {
		t.Helper()
		p, err := c.Get(key, func() (*Program, error) {
			built++
			devices[key] = &paper{}
			return Build(devices[key], func(b *Builder) { b.Output("y", b.Scale(b.Input("x", 1), 1)) })
		})
		require.NoError(t, err)
		return p
	}
	a := get("a")
	get("b")
	require.Same(t, a, get("a"))
	require.Equal(t, 2, built)
	get("c") // b was used longest ago
	require.Equal(t, 1, devices["b"].closed)
	require.Zero(t, devices["a"].closed)
	require.Same(t, a, get("a"))
	get("b")
	require.Equal(t, 4, built)
	require.Equal(t, 1, devices["c"].closed)

	_, err := c.Get("d", func() (*Program, error) { return nil, errors.New("no memory") })
	require.ErrorContains(t, err, "no memory")
	require.Zero(t, devices["a"].closed, "a failed build evicts nothing")
	require.NoError(t, c.Keep(func(k string) bool { return k == "a" }))
	require.Equal(t, 1, devices["b"].closed)
	require.Same(t, a, get("a"))
	require.Equal(t, 4, built)
	get("b")
	require.NoError(t, c.Close())
	require.Equal(t, 1, devices["a"].closed)
	require.Equal(t, 1, devices["b"].closed)
	require.NotSame(t, a, get("a"))
}
