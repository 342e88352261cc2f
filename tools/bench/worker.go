package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"syntic/tensor/graph"
)

// maxLine bounds a request.
const maxLine = 1 << 20

// request is one line from the orchestrator.
type request struct {
	Op     string  `json:"op"` // prepare, time, rss or quit
	W      Work    `json:"w"`
	NoWarm bool    `json:"nowarm"`
	MinS   float64 `json:"min_s"`
	MaxN   int     `json:"max_n"`
}

// reply is the answer to one line: the fields of its operation, and ok or err.
type reply map[string]any

// worker holds the workload prepared last.
type worker struct {
	device func() (graph.Device, error)
	info   string
	job    *job
}

// Serve answers the requests of peers/peers_cpu.py, one JSON object a line, from
// in to out until "quit", the end of in, or the end of ctx. device makes the
// device of one workload; info goes into every answer to "prepare". A request
// that can't be met is answered with "ok": false and the reason.
//
// Errors: those of in and out.
func Serve(ctx context.Context, in io.Reader, out io.Writer, device func() (graph.Device, error), info string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, failed := make(chan []byte), make(chan error, 1)
	go func() { // reading can't be interrupted, waiting for it can
		s := bufio.NewScanner(in)
		s.Buffer(nil, maxLine)
		for s.Scan() {
			select {
			case lines <- append([]byte(nil), s.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
		failed <- s.Err()
	}()
	w := &worker{device: device, info: info}
	answers := json.NewEncoder(out)
	for {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), w.drop())
		case err := <-failed:
			return errors.Join(err, w.drop())
		case line := <-lines:
			var r request
			if err := json.Unmarshal(line, &r); err != nil {
				if err := answers.Encode(reply{"ok": false, "err": "not a request: " + err.Error()}); err != nil {
					return errors.Join(err, w.drop())
				}
				continue
			}
			if r.Op == "quit" {
				return w.drop()
			}
			a, err := w.do(ctx, &r)
			if err != nil {
				a = reply{"ok": false, "err": err.Error()}
			} else {
				a["ok"] = true
			}
			if err := answers.Encode(a); err != nil {
				return errors.Join(err, w.drop())
			}
		}
	}
}

func (w *worker) do(ctx context.Context, r *request) (reply, error) {
	switch r.Op {
	case "prepare":
		return w.prepare(ctx, r)
	case "time":
		if w.job == nil {
			return nil, errors.New("time: no workload is prepared")
		}
		wall, cpu, err := w.job.measure(ctx, seconds(r.MinS), r.MaxN)
		return reply{"wall": wall, "cpu": cpu}, err
	case "rss":
		return reply{"peak_rss_MiB": peakMiB()}, nil
	}
	return nil, fmt.Errorf("the request %q is unknown; prepare, time, rss and quit are", r.Op)
}

// prepare replaces the workload and, unless told not to, runs it once, or twice
// where that is quick.
func (w *worker) prepare(ctx context.Context, r *request) (reply, error) {
	if err := w.drop(); err != nil {
		return nil, err
	}
	begin := time.Now()
	j, err := prepare(ctx, r.W, w.device)
	if err != nil {
		return nil, err
	}
	w.job = j
	ready := time.Now()
	first := 0.0
	if !r.NoWarm {
		if first, err = j.warm(ctx); err != nil {
			return nil, errors.Join(err, w.drop())
		}
	}
	return reply{"prep_s": ready.Sub(begin).Seconds(), "first_s": first, "info": w.info}, nil
}

// drop frees the workload.
func (w *worker) drop() error {
	if w.job == nil {
		return nil
	}
	err := w.job.close()
	w.job = nil
	return err
}

// seconds converts a duration from JSON; impossible ones are 0 or the longest.
func seconds(s float64) time.Duration {
	const longest = 24 * time.Hour
	return time.Duration(max(0, min(s, longest.Seconds())) * float64(time.Second))
}
