package spice

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake writes a jar that is none and a "java" that runs script; $out is the
// answer's file.
func fake(t *testing.T, script string) Program {
	t.Helper()
	dir := t.TempDir()
	jar, java := filepath.Join(dir, "spice-1.0.jar"), filepath.Join(dir, "java")
	require.NoError(t, os.WriteFile(jar, nil, 0o600))
	head := "#!/bin/sh\nprev=; for a; do [ \"$prev\" = -out ] && out=$a; [ \"$prev\" = -jar ] && jar=$a; [ \"$prev\" = \"$jar\" ] && in=$a; prev=$a; done\n"
	require.NoError(t, os.WriteFile(java, []byte(head+script), 0o700))
	return Program{Jar: jar, Java: java}
}

var items = []Item{{"b", "a dog", []string{"the dog"}}, {"a", "", []string{"a cat", "cats"}}}

func TestRun(t *testing.T) {
	p := fake(t, `grep -q '"test":"a dog","refs":\["the dog"\]' "$in" || exit 3
cat > "$out" <<'J'
[{"image_id":"a","scores":{"All":{"pr":0,"re":0,"f":null}}},{"image_id":"b","scores":{"All":{"f":0.25},"Color":{"f":1}}}]
J`)
	got, err := p.Run(context.Background(), items)
	require.NoError(t, err)
	require.Equal(t, 0.25, got[0])
	require.True(t, math.IsNaN(got[1]))
}

func TestFaults(t *testing.T) {
	ctx := context.Background()
	_, err := Program{Jar: "none.jar"}.Run(ctx, items)
	require.ErrorContains(t, err, "give the path of spice-1.0.jar")
	p := fake(t, "exit 0")
	p.Java = filepath.Join(t.TempDir(), "java")
	_, err = p.Run(ctx, items)
	require.ErrorContains(t, err, "no Java")
	_, err = fake(t, "echo 'java.lang.NoClassDefFoundError: edu/stanford' >&2; exit 1").Run(ctx, items)
	require.ErrorContains(t, err, "stanford-corenlp-3.6.0-models.jar into lib/")
	_, err = fake(t, "echo OutOfMemoryError; exit 1").Run(ctx, items)
	require.ErrorContains(t, err, "8G heap")
	_, err = fake(t, "exit 0").Run(ctx, items)
	require.ErrorContains(t, err, "left no answer")
	_, err = fake(t, `echo '{' > "$out"`).Run(ctx, items)
	require.ErrorContains(t, err, "not the JSON expected")
	_, err = fake(t, `echo '[{"image_id":"b","scores":{"All":{"f":1}}}]' > "$out"`).Run(ctx, items)
	require.ErrorContains(t, err, "lacks picture a")
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = fake(t, "exec sleep 60").Run(ctx, items)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
