package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor/graph"
)

// talk sends lines to a worker and returns its answers.
func talk(t *testing.T, device func() (graph.Device, error), lines ...string) []map[string]any {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Serve(t.Context(), strings.NewReader(strings.Join(lines, "\n")), &out, device, "engine 1"))
	var answers []map[string]any
	for d := json.NewDecoder(&out); ; {
		var a map[string]any
		err := d.Decode(&a)
		if errors.Is(err, io.EOF) {
			return answers
		}
		require.NoError(t, err)
		answers = append(answers, a)
	}
}

func TestProtocol(t *testing.T) {
	for _, w := range []string{
		`{"Name":"g","Kind":"gemm","set":"ops","flops":24,"nbytes":9,"M":2,"K":3,"N":4}`,
		`{"Name":"c","Kind":"conv","C":3,"H":8,"W":9,"Co":4,"Ks":3,"S":1,"B":1}`,
		`{"Name":"a","Kind":"attn","B":1,"Hd":2,"Lq":3,"Lk":4,"D":5}`,
		`{"Name":"o","Kind":"op","Op":"groupnorm","Shape":[1,32,2,2]}`,
	} {
		a := talk(t, device(""), `{"op":"prepare","w":`+w+`,"nowarm":false}`, `{"op":"time","min_s":0,"max_n":100}`,
			`{"op":"time","min_s":10,"max_n":4}`, `{"op":"rss"}`, `{"op":"quit"}`, `{"op":"rss"}`)
		require.Len(t, a, 4, "nothing after quit")
		require.Equal(t, true, a[0]["ok"], a[0])
		require.Equal(t, "engine 1", a[0]["info"])
		require.Positive(t, a[0]["prep_s"])
		require.Positive(t, a[0]["first_s"])
		require.Len(t, a[1]["wall"], 1)
		require.Len(t, a[2]["wall"], 4)
		require.Len(t, a[2]["cpu"], 4)
		require.Positive(t, a[2]["wall"].([]any)[0])
		require.Equal(t, true, a[3]["ok"])
		require.Contains(t, a[3], "peak_rss_MiB")
	}
}

func TestProtocolErrors(t *testing.T) {
	gemm := `{"op":"prepare","nowarm":true,"w":{"Name":"g","Kind":"gemm","M":2,"K":3,"N":4}}`
	gpt := `{"op":"prepare","w":{"Name":"u","Kind":"model","M":"gpt","Bt":2}}`
	a := talk(t, device(""), `{"op":"time"}`, `nonsense`, `{"op":"fly"}`, gpt, gemm, `{"op":"time"}`, gpt, `{"op":"time"}`)
	for i, want := range []string{"no workload is prepared", "not a request", `"fly" is unknown`, "isn't built yet", "", "", "isn't built yet", "no workload is prepared"} {
		require.Equal(t, want == "", a[i]["ok"], a[i])
		if want != "" {
			require.Contains(t, a[i]["err"], want)
		}
	}
	require.Len(t, a, 8)
	require.Zero(t, a[4]["first_s"], "not warmed up")

	broken := errors.New("no such device")
	a = talk(t, func() (graph.Device, error) { return nil, broken }, gemm)
	require.Equal(t, broken.Error(), a[0]["err"])
	a = talk(t, func() (graph.Device, error) { return explosive{}, nil }, gemm, `{"op":"rss"}`)
	require.Contains(t, a[0]["err"], "boom")
	require.Equal(t, true, a[1]["ok"], "a panic leaves the worker alive")
}

// explosive is a device whose kernels panic.
type explosive struct{ graph.Device }

func (explosive) Name() string                          { return "explosive" }
func (explosive) Arrange(ops []*graph.Op) []*graph.Op   { return ops }
func (explosive) Prepare(*graph.Op) (graph.Step, error) { panic("boom") }
func (explosive) Close() error                          { return nil }

func TestServeEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, out, err := os.Pipe() // never written to: reading blocks
	require.NoError(t, err)
	defer in.Close()
	require.ErrorIs(t, Serve(ctx, in, io.Discard, device(""), ""), context.Canceled)
	require.NoError(t, out.Close())

	long := strings.Repeat(" ", maxLine+1)
	require.Error(t, Serve(t.Context(), strings.NewReader(long), io.Discard, device(""), ""))
	require.ErrorIs(t, Serve(t.Context(), strings.NewReader("{}\n"), failing{}, device(""), ""), errWrite)
}

var errWrite = errors.New("the pipe is closed")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errWrite }

func TestSeconds(t *testing.T) {
	require.Zero(t, seconds(-1))
	require.Equal(t, "250ms", seconds(0.25).String())
	require.Equal(t, "24h0m0s", seconds(1e300).String())
}

func ExampleServe() {
	in := strings.NewReader(`{"op":"prepare","w":{"Name":"g","Kind":"gemm","M":2,"K":0,"N":4}}`)
	err := Serve(context.Background(), in, os.Stdout, device(""), "engine 1")
	if err != nil {
		panic(err)
	}
	// Output: {"err":"gemm workload \"g\": K is 0, must be at least 1","ok":false}
}
