package sched

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
)

// stateMagic opens a saved state and says its version.
const stateMagic = "SYNSCHD1"

// AppendState appends what is needed to go on after the last step, besides the
// latent and the noise source: at most five tensors for PNDM, one for
// DPM-Solver++, none for the others.
func (s *Scheduler) AppendState(dst []byte) []byte {
	n := 0
	if len(s.history) > 0 {
		n = len(s.history[0])
	}
	dst = append(dst, stateMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, s.fingerprint())
	dst = binary.LittleEndian.AppendUint32(dst, uint32(s.next))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	for _, slot := range s.history {
		for _, v := range slot {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
		}
	}
	return dst
}

// SetState restores what AppendState saved and returns the index of the next
// step.
// Errors: not a state, or one of a scheduler with other steps.
func (s *Scheduler) SetState(data []byte) (next int, err error) {
	const header = len(stateMagic) + 8 + 4 + 4
	if len(data) < header || string(data[:len(stateMagic)]) != stateMagic {
		return 0, errors.New("scheduler state: not a saved state")
	}
	head, body := data[len(stateMagic):header], data[header:]
	if binary.LittleEndian.Uint64(head) != s.fingerprint() {
		return 0, errors.New("scheduler state: it is of another scheduler or number of steps")
	}
	at, n := binary.LittleEndian.Uint32(head[8:]), binary.LittleEndian.Uint32(head[12:])
	if uint64(at) > uint64(len(s.steps)) {
		return 0, fmt.Errorf("scheduler state: step %d of %d", at, len(s.steps))
	}
	if uint64(len(body)) != 4*uint64(n)*uint64(s.kept) {
		return 0, fmt.Errorf("scheduler state: %d bytes for %d tensors of %d elements: it was cut short", len(body), s.kept, n)
	}
	s.history = make([][]float32, s.kept)
	for slot := range s.history {
		s.history[slot] = make([]float32, n)
		for k := range s.history[slot] {
			s.history[slot][k] = math.Float32frombits(binary.LittleEndian.Uint32(body))
			body = body[4:]
		}
	}
	s.next = int(at)
	return s.next, nil
}

// fingerprint tells plans apart.
func (s *Scheduler) fingerprint() uint64 {
	h := fnv.New64a()
	var row []byte
	for i := range s.steps {
		p := &s.steps[i]
		row = row[:0]
		for _, v := range [...]float64{float64(p.timestep), p.x, p.eps, p.noise, p.clip, float64(len(p.read))} {
			row = binary.LittleEndian.AppendUint32(row, math.Float32bits(float32(v)))
		}
		h.Write(row)
	}
	return h.Sum64()
}
