package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tools/world"
)

// cancelling cancels a context at its n-th write.
type cancelling struct {
	bytes.Buffer
	left   int
	cancel func()
}

// Write implements io.Writer.
func (c *cancelling) Write(p []byte) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

// Ctrl-C ends with 130; what is on disk and on standard output is whole.
func TestInterrupt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drawn")
	for _, more := range [][]string{{"caption", "--beam"}, {"detect"}, {"caption", "--json"}} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &cancelling{left: 2, cancel: cancel}
		d := commandWith(t, ctx, &app{out: out}, append(append(more, "--quiet", "--batch", "1", "--annotate", dir), world.Samples()...)...)
		require.Equal(t, 130, d.code)
		require.Equal(t, "syntic: interrupted\n", d.err)
		require.True(t, strings.HasSuffix(out.String(), "\n"))
		require.Less(t, len(names(t, dir)), len(world.Samples()))
		for _, n := range names(t, dir) {
			isPicture(t, filepath.Join(dir, n), 64, 64)
		}
	}
	// Before anything began, and while waiting for standard input.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, 130, commandWith(t, ctx, &app{}, "caption", "--quiet", sheep).code)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	ctx, cancel = context.WithCancel(t.Context())
	waiting := &cancelling{left: 1, cancel: cancel}
	in := io.TeeReader(io.MultiReader(bytes.NewReader(sampleFile(t, "kite")[:100]), r), waiting)
	d := commandWith(t, ctx, &app{in: in}, "caption", "--quiet", "-")
	require.Equal(t, done{130, "", "syntic: interrupted\n"}, d)
	out := filepath.Join(t.TempDir(), "m.safetensors")
	texts := put(t, t.TempDir(), "t.txt", []byte("a cat\na dog\n"))
	require.Equal(t, 130, commandWith(t, ctx, &app{}, "memory", "build", "--quiet", texts, "-o", out).code)
	require.Empty(t, names(t, filepath.Dir(out)))
}

// When the reader of our output leaves, as head does, nothing is said.
func TestClosedOutput(t *testing.T) {
	for _, args := range [][]string{{"caption"}, {"caption", "--json"}, {"detect"}, {"embed"}} {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, r.Close())
		d := commandWith(t, t.Context(), &app{out: w}, append(append(args, "--quiet"), world.Samples()...)...)
		require.Equal(t, 1, d.code)
		require.Empty(t, d.err)
		require.NoError(t, w.Close())
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	d := commandWith(t, t.Context(), &app{out: full}, "caption", "--quiet", sheep)
	require.Equal(t, 1, d.code)
	require.Contains(t, d.err, "no space left")
}

// The bar is on standard error alone, uncoloured, and gone before anything else
// is printed; off a terminal there is none.
func TestProgress(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	args := append([]string{"caption", "--batch", "2"}, world.Samples()...)
	plain := command(t, args...)
	require.Equal(t, 0, plain.code)
	require.Equal(t, "syntic: "+world.Notice+"\n", plain.err)
	for columns, want := range map[int]string{20: "", 40: "(0/6)", 80: " pictures/"} {
		bar := commandWith(t, t.Context(), &app{columns: columns}, args...)
		require.Equal(t, plain.out, bar.out)
		require.Contains(t, bar.err, want)
		require.Equal(t, columns < barColumns, bar.err == plain.err)
		require.NotContains(t, bar.err, "\x1b[3", "no colours")
	}
	quiet := commandWith(t, t.Context(), &app{columns: 80}, append(args, "--quiet")...)
	require.Empty(t, quiet.err)
	one := commandWith(t, t.Context(), &app{columns: 80}, "caption", sheep)
	require.Equal(t, "syntic: "+world.Notice+"\n", one.err, "one picture needs no bar")
}

func TestLanguageDoesNotMatter(t *testing.T) {
	t.Setenv("LANG", "C")
	t.Setenv("LC_ALL", "C")
	path := put(t, t.TempDir(), "фото 猫.png", sampleFile(t, "stop-sign"))
	d := command(t, "caption", "--quiet", path, sheep)
	require.Equal(t, 0, d.code, d.err)
	require.Equal(t, path+": "+stopSign, d.lines()[0])
}
