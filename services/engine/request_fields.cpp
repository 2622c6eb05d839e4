#include "services/engine/request_fields.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace engine {

namespace {

constexpr RequestField of_create[] = {
#define HONOURED(path) {path, RequestField::Treatment::honoured},
#define NO_EFFECT(path) {path, RequestField::Treatment::no_effect},
#define REFUSED(path) {path, RequestField::Treatment::refused},
#include "services/engine/request_fields.inc"
#undef HONOURED
#undef NO_EFFECT
#undef REFUSED
};

// The fields as a tree: what has branches is an object, a map ("*") or a list ("[]"), what has none is a field.
struct Branch {
    struct Less {
        using is_transparent = void;
        bool operator()(std::string_view a, std::string_view b) const {
            return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
        }
        static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
    };
    std::map<std::string_view, Branch, Less> branches;
    RequestField::Treatment treatment = RequestField::Treatment::honoured;

    const Branch* find(std::string_view name) const {
        const auto found = branches.find(name);
        return found == branches.end() ? nullptr : &found->second;
    }
};

Branch tree_of(std::span<const RequestField> fields) {
    Branch root;
    for (const RequestField& field : fields) {
        Branch* at = &root;
        for (std::string_view rest = field.path; !rest.empty();) {
            const std::string_view name = rest.substr(0, rest.find('.'));
            rest.remove_prefix(std::min(rest.size(), name.size() + 1));
            at = &at->branches[name];
        }
        at->treatment = field.treatment;
    }
    return root;
}

class Check {
public:
    explicit Check(const std::function<ApiError(const std::string&)>& refuse) : refuse_(refuse) {}
    void value(Json& value, const Branch& branch, const std::string& path) {
        if (branch.branches.empty()) return field(value, branch.treatment, path);
        if (value.is_null()) return;
        if (const Branch* const element = branch.find("[]")) {
            if (!value.is_array()) throw bad_request("invalid JSON: " + path + " is not a list");
            for (Json& each : value) this->value(each, *element, path);
            return;
        }
        if (!value.is_object()) throw bad_request("invalid JSON: " + path + " is not an object");
        if (const Branch* const any = branch.find("*")) {
            for (auto& [name, each] : value.items()) this->value(each, *any, path + "." + name);
            return;
        }
        members(value, branch, path.empty() ? "" : path + ".");
    }
    std::vector<std::string> warnings;

private:
    void warn(std::string text) {
        if (warnings.size() < most_field_warnings) warnings.push_back(warnings.size() + 1 < most_field_warnings ? std::move(text) : "further settings are not known to this node, or have no effect");
    }
    // `value`: an object with fixed members.
    void members(Json& value, const Branch& branch, const std::string& before) {
        Json known = Json::object();
        for (auto& [name, each] : value.items()) {
            const auto found = branch.branches.find(std::string_view(name));
            if (found == branch.branches.end()) {
                if (!is_empty_value(each)) throw refuse_(before + name);
                if (!each.is_null()) warn(before + name + " is not known to this node");
                continue;
            }
            const std::string spelled(found->first);
            if (known.contains(spelled)) throw bad_request("invalid JSON: " + before + spelled + " is there twice");
            this->value(each, found->second, before + spelled);
            known[spelled] = std::move(each);
        }
        value = std::move(known);
    }
    void field(const Json& value, RequestField::Treatment treatment, const std::string& path) {
        if (treatment == RequestField::Treatment::honoured || is_empty_value(value)) return;
        if (treatment == RequestField::Treatment::refused) throw refuse_(path);
        warn(path + " has no effect on this node");
    }

    const std::function<ApiError(const std::string&)>& refuse_;
};

} // namespace

std::span<const RequestField> create_fields() { return of_create; }

std::span<const RequestField> update_fields() {
    static const std::vector<RequestField> fields = [] {
        constexpr std::string_view host = "HostConfig.";
        constexpr std::string_view changeable[] = {"NanoCpus", "CpuQuota", "CpuPeriod", "CpuShares", "CpusetCpus"};
        std::vector<RequestField> result;
        for (RequestField field : of_create) {
            if (!field.path.starts_with(host)) continue;
            field.path.remove_prefix(host.size());
            const bool changes = std::ranges::find(changeable, field.path) != std::end(changeable);
            field.treatment = changes ? RequestField::Treatment::honoured : RequestField::Treatment::refused;
            result.push_back(field);
        }
        return result;
    }();
    return fields;
}

std::vector<std::string> check_fields(Json& body, std::span<const RequestField> fields, const std::function<ApiError(const std::string& path)>& refuse) {
    Check check(refuse);
    check.value(body, tree_of(fields), "");
    return std::move(check.warnings);
}

} // namespace engine
