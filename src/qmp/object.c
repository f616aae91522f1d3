/*
 * User-created objects: the TLS credentials of ours, and who else is there.
 */
#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

int qmp_object_add_tls_x509(struct qmp *q, const char *id, const char *dir,
                            bool server, const char *priority,
                            struct qm_error *err)
{
    struct json_object *args = json_with_string("qom-type", "tls-creds-x509");

    json_add_string(args, "id", id);
    json_add_string(args, "dir", dir);
    json_add_string(args, "endpoint", server ? "server" : "client");
    json_add_bool(args, "verify-peer", true);
    if (priority)
        json_add_string(args, "priority", priority);
    return qmp_command(q, "object-add", args, QMP_BLOCKING, NULL, err);
}

int qmp_object_add_tls_psk(struct qmp *q, const char *id, const char *dir,
                           const char *username, struct qm_error *err)
{
    struct json_object *args = json_with_string("qom-type", "tls-creds-psk");

    json_add_string(args, "id", id);
    json_add_string(args, "dir", dir);
    json_add_string(args, "endpoint", username ? "client" : "server");
    json_add_string(args, "username", username);
    return qmp_command(q, "object-add", args, QMP_BLOCKING, NULL, err);
}

int qmp_object_add_authz(struct qmp *q, const char *id, const char *dn,
                         struct qm_error *err)
{
    struct json_object *args = json_with_string("qom-type", "authz-list");
    struct json_object *rules = json_object_new_array();
    struct json_object *rule = json_with_string("match", dn);

    json_add_string(rule, "policy", "allow");
    json_add_string(rule, "format", "exact");
    json_object_array_add(rules, rule);
    json_add_string(args, "id", id);
    json_add_string(args, "policy", "deny");
    json_add(args, "rules", rules);
    return qmp_command(q, "object-add", args, QMP_BLOCKING, NULL, err);
}

int qmp_object_del(struct qmp *q, const char *id, struct qm_error *err)
{
    return qmp_command(q, "object-del", json_with_string("id", id),
                       QMP_BLOCKING, NULL, err);
}

int children_parse(struct json_object *reply, struct strv *ret,
                   struct qm_error *err)
{
    CLEANUP(strv_done) struct strv names = { 0 };

    if (json_expect(reply, json_type_array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_length(reply); i++) {
        struct json_object *element = json_at(reply, i);
        CLEANUP_FREE char *type = json_qom_child(element);
        const char *name = json_get_string(element, "name");

        if (!name) {
            return json_missing("name", err);
        }
        if (type) {
            strv_add(&names, name);
        }
    }
    for (size_t i = 0; i < names.count; i++) {
        strv_add(ret, names.item[i]);
    }
    return 0;
}

int qmp_query_objects(struct qmp *q, struct strv *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;

    if (qmp_command(q, "qom-list", json_with_string("path", "/objects"),
                    QMP_QUERY, &reply, err) < 0) {
        return -1;
    }
    if (children_parse(reply, ret, err) < 0) {
        return error_wrap(err, "%s: qom-list /objects", qmp_who(q));
    }
    return 0;
}
