package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tools/bench"
)

// benchCommand runs one bench command line and returns what it printed.
func benchCommand(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	var out, messages bytes.Buffer
	a := &app{in: strings.NewReader(in), out: &out, err: &messages}
	cmd := newRoot(a)
	cmd.SetArgs(append([]string{"bench"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestBench(t *testing.T) {
	quick := []string{"kernels", "--only", "^gemm 1x768x3072$", "--rounds", "2", "--min-time", "0s", "--threads", "1"}
	text, err := benchCommand(t, "", quick...)
	require.NoError(t, err)
	require.Contains(t, text, "1 thread(s), f32;")
	require.Contains(t, text, "gemm 1x768x3072  [1,768]·[768,3072]")
	text, err = benchCommand(t, "", append(quick, "--markdown", "--weights", "bf16")...)
	require.NoError(t, err, "bf16's error is the precision's, not wrong")
	require.Contains(t, text, "| gemm 1x768x3072 | [1,768]·[768,3072] | 1 | f32, bf16 weights |")

	text, err = benchCommand(t, "", append(quick, "--json", "--winograd", "f4")...)
	require.NoError(t, err)
	var rep bench.Report
	require.NoError(t, json.Unmarshal([]byte(text), &rep))
	require.Len(t, rep.Results, 1)
	require.Equal(t, "f32, winograd f4", rep.Precision)
	require.Positive(t, rep.Machine.PeakGFLOPS)
	require.Positive(t, rep.Machine.TriadGBps)

	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	text, err = benchCommand(t, "", "compare", path, path)
	require.NoError(t, err)
	require.Regexp(t, `(?m)^gemm 1x768x3072 .* 1\.000 .*~$`, text)
}

func TestBenchWorker(t *testing.T) {
	text, err := benchCommand(t, `{"op":"prepare","w":{"Name":"g","Kind":"gemm","M":2,"K":3,"N":4}}
{"op":"time","min_s":0,"max_n":1}
{"op":"quit"}
`, "worker", "2")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(text, `"ok":true`), text)
	require.Contains(t, text, `"info":"syntic `)
}

func TestBenchMistakes(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"unets", "unets"},
		{"kernels models", "one set of workloads"},
		{"--only (", "--only"},
		{"--only ^nothing$", "no workload"},
		{"--rounds 0", "--rounds 0"},
		{"--min-time -1s", "--min-time"},
		{"worker", "number of threads"},
		{"worker 0", "worker 0"},
		{"worker two", "worker two"},
		{"compare one.json", "two reports"},
	} {
		_, err := benchCommand(t, "", strings.Fields(c.args)...)
		var usage *usageError
		require.True(t, errors.As(err, &usage), "%s: %v", c.args, err)
		require.ErrorContains(t, err, c.want)
	}
	_, err := benchCommand(t, "", "compare", "none.json", "none.json")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = benchCommand(t, "", "--isa", "abacus", "--only", "gemm 1x")
	require.ErrorContains(t, err, "abacus")
}
