// Runs an hls4ml C simulation library over a file of events.
//
//   driver LIBRARY TOP INPUTS OUTPUTS in=SIZE... out=SIZE... [trace=NAME:SIZE...]
//
// INPUTS holds doubles, event after event, each event its inputs in order. OUTPUTS receives
// doubles: for each event the outputs in order, then the traced layers in order. Doubles carry
// every fixed-point value of up to 53 bits exactly.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

struct TraceData { // as declared in hls4ml's bridge
    const char *name;
    void *data;
};

[[noreturn]] void fail(const std::string &message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(1);
}

void *symbol(void *library, const std::string &name) {
    void *found = dlsym(library, name.c_str());
    if (!found)
        fail("the library has no function " + name);
    return found;
}

const size_t most_arrays = 16; // MOST_ENDS in trigger_ml/frontends/keras_config.py

template <size_t> using Array = double *;

template <size_t... I>
void spread(void *function, const std::vector<double *> &p, std::index_sequence<I...>) {
    reinterpret_cast<void (*)(Array<I>...)>(function)(p[I]...);
}

// Calls a function that takes p.size() arrays.
template <size_t N = 2> void call(void *function, const std::vector<double *> &p) {
    if (p.size() == N)
        return spread(function, p, std::make_index_sequence<N>());
    if constexpr (N < most_arrays)
        return call<N + 1>(function, p);
    fail("more than " + std::to_string(most_arrays) + " inputs and outputs together");
}

std::map<std::string, void *> traces(void *library) {
    const size_t most = 4096; // layers of one network
    reinterpret_cast<void (*)(size_t)>(symbol(library, "allocate_trace_storage"))(sizeof(double));
    std::vector<TraceData> collected(most);
    reinterpret_cast<void (*)(TraceData *)>(symbol(library, "collect_trace_output"))(
        collected.data());
    std::map<std::string, void *> found;
    for (const TraceData &trace : collected)
        if (trace.name)
            found[trace.name] = trace.data;
    return found;
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 7)
        fail("too few arguments");
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail(dlerror());
    std::vector<std::vector<double>> ins, outs;
    std::vector<std::pair<std::string, size_t>> wanted;
    for (int k = 5; k < argc; ++k) {
        const std::string word = argv[k];
        const std::string value = word.substr(word.find('=') + 1);
        if (word.rfind("in=", 0) == 0)
            ins.emplace_back(std::stoul(value));
        else if (word.rfind("out=", 0) == 0)
            outs.emplace_back(std::stoul(value));
        else
            wanted.emplace_back(value.substr(0, value.rfind(':')),
                                std::stoul(value.substr(value.rfind(':') + 1)));
    }
    std::vector<double *> pointers;
    for (auto &buffer : ins)
        pointers.push_back(buffer.data());
    for (auto &buffer : outs)
        pointers.push_back(buffer.data());
    void *top = symbol(library, std::string(argv[2]) + "_double");
    std::map<std::string, void *> traced;
    if (!wanted.empty())
        traced = traces(library);
    for (const auto &layer : wanted)
        if (!traced.count(layer.first))
            fail("the library does not trace layer " + layer.first);

    FILE *input = std::fopen(argv[3], "rb");
    FILE *output = std::fopen(argv[4], "wb");
    if (!input || !output)
        fail("cannot open the files of events");
    while (true) {
        bool whole = true;
        for (auto &buffer : ins)
            whole = whole && std::fread(buffer.data(), sizeof(double), buffer.size(), input) ==
                                 buffer.size();
        if (!whole)
            break;
        call(top, pointers);
        for (auto &buffer : outs)
            if (std::fwrite(buffer.data(), sizeof(double), buffer.size(), output) != buffer.size())
                fail("cannot write the outputs");
        for (const auto &layer : wanted)
            if (std::fwrite(traced[layer.first], sizeof(double), layer.second, output) !=
                layer.second)
                fail("cannot write the traces");
    }
    if (std::fclose(output) != 0)
        fail("cannot write the outputs");
    return 0;
}
